import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { inspect } from '../../../hypervisor-core/protocol/inspect.ts';
import { inspectOverMonitor } from './monitor-inspect.ts';

test('a guest prints on after nobody listens any more', async () => {
  let print: (data: Uint8Array) => void = () => undefined;
  const serial = {
    history: () => new Uint8Array(),
    input: () => undefined,
    onOutput: (listener: typeof print) => {
      print = listener;
    },
  };
  const client = inspectOverMonitor({ name: 'QEMU', monitor: async () => '', serial });
  const heard: string[] = [];
  client.onNotification(inspect.onConsole, ({ data }) => {
    heard.push(Buffer.from(data, 'base64').toString());
  });
  print(Buffer.from('before'));
  while (heard.length === 0) await setImmediate();
  client.dispose();
  assert.doesNotThrow(() => print(Buffer.from('after')));
  await setImmediate();
  assert.deepEqual(heard, ['before']);
});
