/** Hostile clients: no bytes and no requests, in any order, end the adapter. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { areas } from '../../debug-adapter/session/areas.ts';
import { junk } from '../../debug-adapter/session/junk.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { stopAt } from './driving.ts';

const SEED = 20261122;
/** Those that end the session, or wait for what never comes, would end the test with it. */
const ENDING = new Set(['disconnect', 'terminate', 'restart', 'launch']);
const COMMANDS = areas.flatMap(({ handlers }) => Object.keys(handlers)).filter((name) => !ENDING.has(name));

const names = [
  ...['threadId', 'frameId', 'variablesReference', 'name', 'value', 'expression', 'context', 'memoryReference'],
  ...['offset', 'count', 'instructionCount', 'instructionOffset', 'data', 'source', 'breakpoints', 'line', 'text'],
  ...['column', 'parts', 'path', 'address', 'from', 'limit', 'on', 'startFrame', 'levels', 'start', 'granularity'],
  ...[
    'filters',
    'filterOptions',
    'targetId',
    'condition',
    'hitCondition',
    'logMessage',
    'dataId',
    'asAddress',
    'bytes',
    'mode',
  ],
];
const request = fc.record({
  command: fc.oneof(fc.constantFrom(...COMMANDS), fc.string()),
  args: fc.oneof(fc.dictionary(fc.constantFrom(...names), junk, { maxKeys: 6 }), junk),
});

describe('a hostile client', () => {
  test('garbage on the wire', async () => {
    const adapter = coreAdapter();
    const { stdin } = adapter.process;
    assert.ok(stdin);
    const garbage = fc.sample(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        fc.json().map((text) => Buffer.from(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)),
        fc
          .constantFrom('Content-Length: -5\r\n\r\n', 'Content-Length: x\r\n\r\n{}', '\r\n\r\n')
          .map((text) => Buffer.from(text)),
      ),
      { numRuns: 300, seed: SEED },
    );
    for (const bytes of garbage) if (!stdin.write(bytes)) await once(stdin, 'drain');
    assert.equal(await adapter.close(), 0);
  });

  const play = async (before: boolean) => {
    const adapter = coreAdapter();
    const { client } = adapter;
    await client.request('initialize', { adapterID: 'kvm' });
    if (!before) await stopAt(client, 'showcase-loop');
    const requests = fc.sample(request, { numRuns: 400, seed: SEED });
    const responses = await Promise.all(requests.map(({ command, args }) => client.send(command, args)));
    assert.equal(responses.length, requests.length);
    const own = responses.filter(({ success, body }) => !success && body?.error?.id === 1900);
    assert.deepEqual(
      own.map(({ command, message }) => `${command}: ${message}`),
      [],
      'errors of our own',
    );
    if (!before) {
      // Whatever was resumed on the way is paused again, and the adapter still knows its guest.
      if ((await client.send('stackTrace', { threadId: 1 })).success === false) {
        // Refused when the guest has run into a breakpoint since; that is a stop as well.
        await client.send('pause', { threadId: 1 });
        await client.event('stopped', () => true);
      }
      assert.ok((await client.request('threads')).threads.length > 0);
    }
    assert.equal(await adapter.close(), 0);
  };

  test('any requests before a launch', () => play(true));
  test('any requests at a stop', { skip: noKvm }, () => play(false));
});
