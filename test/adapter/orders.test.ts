/** Hit counts and log points that our core sees to by itself. The other suites have what every target does. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, runToStop, stack, topFrame, withAdapter } from './driving.ts';
import { marker } from './sample.ts';

const loop = marker('showcase-loop');
const end = marker('main-loop');

/** Sets breakpoints with these terms at the loop, none of which is left to the adapter, and one without at the main loop. */
async function orderAt(client: DapClient, terms: { hitCondition?: string; condition?: string; logMessage?: string }) {
  const { breakpoints } = await client.request('setBreakpoints', {
    source: { path: loop.path },
    breakpoints: [{ line: loop.line, ...terms }],
  });
  assert.deepEqual([breakpoints[0]?.verified, breakpoints[0]?.message], [true, undefined]);
  await client.request('setBreakpoints', { source: { path: end.path }, breakpoints: [{ line: end.line }] });
}

/** What log points print up to the next stop, in one piece. */
async function logged(client: DapClient, move: () => Promise<unknown>): Promise<string> {
  let text = '';
  const listen = client.onMessage;
  client.onMessage = (message) => {
    listen?.(message);
    if (message.type !== 'event' || !('event' in message) || message.event !== 'output') return;
    const { body } = message as unknown as { body: { output: string; line?: number } };
    if (body.line === loop.line) text += body.output;
  };
  await move();
  return text;
}

describe('orders to our core', { skip: noKvm }, () => {
  test('two counts of one request are two', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      const { path, line } = loop;
      await client.request('setBreakpoints', {
        source: { path },
        breakpoints: [
          { line, hitCondition: '3' },
          { line: line - 1, hitCondition: '2' },
        ],
      });
      const stops = [await runToStop(client), await move(client, 'continue')];
      assert.deepEqual(
        stops.map(({ hitBreakpointIds }) => hitBreakpointIds),
        [[2], [1]],
      );
      assert.equal(await evaluate(client, 'index'), '2');
    }));

  test('messages come before the stop after them, as the adapter would write the values', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      const values = [
        ...['showcase.header.version', 'showcase.header.length', 'showcase.header.urgent', 'showcase.word.whole,x'],
        ...['showcase.matrix[2][3]', 'showcase.rectangles[1].corner.x', 'showcase.rectangles[1].corner.y,x'],
        ...['sizeof showcase', '-7', '(long)&showcase,x', 'showcase.root,x', '$cs'],
      ];
      const logMessage = values.map((value) => `{${value}}`).join(' | ');
      await orderAt(client, { hitCondition: '3', logMessage });
      const text = await logged(client, () => runToStop(client));
      assert.equal((await topFrame(client)).name, 'main_loop_pass');
      const here = [];
      for (const value of values) here.push(await evaluate(client, value));
      assert.equal(text, `${here.join(' | ')}\n`);
    }));

  test('messages of hits, of which many go out together', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await orderAt(client, { hitCondition: '> 1', logMessage: 'turn {index}' });
      assert.equal(await logged(client, () => runToStop(client)), 'turn 1\nturn 2\n');
    }));

  test('a value that cannot be read stops the target, and the adapter says so in its place', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await orderAt(client, { condition: 'index == 1', logMessage: 'at {index}: {*(int *)0xdead00000000}' });
      assert.match(await logged(client, () => runToStop(client)), /^at 1: .*\n$/);
      assert.equal((await topFrame(client)).name, 'main_loop_pass');
      assert.ok((await stack(client)).length > 1);
    }));
});
