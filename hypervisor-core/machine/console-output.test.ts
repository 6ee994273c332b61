import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ConsoleOutput, GATHERING } from './console-output.ts';
import { ConsoleRing, consoleRingBytes } from './console-ring.ts';

const CAPACITY = 64;

/** A guest that prints on a console, and who reads that, on a clock that stands still. */
function console({ mock }: TestContext) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const ring = new ConsoleRing(new SharedArrayBuffer(consoleRingBytes(CAPACITY)), 0, CAPACITY);
  const output = new ConsoleOutput(ring);
  const read: string[] = [];
  output.onOutput((data) => read.push(Buffer.from(data).toString()));
  /** Returns how many messages the thread of the vCPU sent for it. */
  const print = (text: string) => {
    let messages = 0;
    for (const byte of Buffer.from(text)) {
      if (!ring.put(byte)) continue;
      messages += 1;
      output.drain();
    }
    return messages;
  };
  return { output, read, print, wait: () => mock.timers.tick(GATHERING) };
}

test('what a guest prints is passed on at once, and what comes soon after it together', (context) => {
  const { read, print, wait } = console(context);
  assert.equal(print('hello'), 2);
  assert.deepEqual(read, ['h']);
  wait();
  assert.equal(print(', world'), 1);
  assert.deepEqual(read, ['h', 'ello']);
  wait();
  wait();
  print('!');
  assert.deepEqual(read, ['h', 'ello', ', world', '!']);
});

test('what a guest has printed when it stops does not wait', (context) => {
  const { output, read, print, wait } = console(context);
  print('hello');
  output.flush();
  wait();
  assert.deepEqual(read, ['h', 'ello']);
});

test('who comes late gets what was passed on, and the rest once', (context) => {
  const { output, read, print, wait } = console(context);
  print('hello');
  const late = [Buffer.from(output.history()).toString()];
  output.onOutput((data) => late.push(Buffer.from(data).toString()));
  wait();
  assert.deepEqual(late, ['h', 'ello']);
  wait();
  print('!'.repeat(2 * CAPACITY));
  wait();
  assert.equal(Buffer.from(output.history()).toString(), '!'.repeat(CAPACITY));
  assert.equal(read.join('').length, 'hello'.length + 1 + CAPACITY);
});
