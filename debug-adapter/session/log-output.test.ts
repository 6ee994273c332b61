/** What log points of a target print, on its way to the debug console. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { LogOutput, messageMark } from './log-output.ts';

function output() {
  const said: string[] = [];
  const logs = new LogOutput({
    log: (id, text) => said.push(`${id}: ${text}`),
    complain: (message) => said.push(message),
  });
  return { said, logs };
}

test('lines come in pieces, among other words, and go out together, in their order', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { said, logs } = output();
    const text = `${messageMark(3)}one\nThe guest halts.\n${messageMark(3)}two\n${messageMark(4)}three\n${messageMark(3)}four\n`;
    for (const letter of text) logs.take(letter);
    assert.deepEqual(said, []);
    mock.timers.tick(1000);
    assert.deepEqual(said, ['3: one\ntwo\n', '4: three\n', '3: four\n']);
    logs.take(`${messageMark(5)}five\n`);
    logs.flush();
    mock.timers.tick(1000);
    assert.deepEqual(said.slice(3), ['5: five\n']);
  } finally {
    mock.timers.reset();
  }
});

test('what is too much is counted, and what the core has lost is told', () => {
  const { said, logs } = output();
  for (let turn = 0; turn < 1500; turn++) logs.take(`${messageMark(1)}${turn}\n`);
  logs.take('77 characters that breakpoints printed were lost\n');
  logs.flush();
  assert.deepEqual(
    said.map((text) => text.slice(0, 60).split('\n')[0]),
    [
      'Messages of log points came too fast: 77 characters that brea',
      '1: 0',
      'Messages of log points came too fast: 500 are not shown.',
    ].map((text) => text.slice(0, 60)),
  );
  assert.equal(said[1]?.split('\n').length, 1001);
});

test('a line without an end does not grow for ever', () => {
  const { said, logs } = output();
  for (let piece = 0; piece < 100; piece++) logs.take('x'.repeat(100_000));
  logs.take(`\n${messageMark(2)}after\n`);
  logs.flush();
  assert.deepEqual(said, ['2: after\n']);
});
