/** What a stub may be: its address, its layout of registers, and the QMP server beside it, friendly or hostile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { QmpClient } from './qmp-client.ts';
import { defaultLayout } from './register-layouts.ts';
import { parseStubAddress } from './stub-address.ts';

test('addresses', () => {
  assert.deepEqual(parseStubAddress('unix:/tmp/a b'), { kind: 'unix', path: '/tmp/a b' });
  assert.deepEqual(parseStubAddress(':1234'), { kind: 'tcp', host: 'localhost', port: 1234 });
  assert.deepEqual(parseStubAddress('tcp:10.0.0.1:8864'), { kind: 'tcp', host: '10.0.0.1', port: 8864 });
  assert.deepEqual(parseStubAddress('[::1]:5000'), { kind: 'tcp', host: '::1', port: 5000 });
  for (const bad of ['', '1234', 'host', 'host:0', 'host:65536', 'unix:', 'a b:1', 'http://x:1']) {
    assert.equal(parseStubAddress(bad), undefined, bad);
  }
});

test('default layouts are as long as GDB says, and start as its manual does', () => {
  const sizes = [64, 176, 308, 164, 276, 536];
  for (const size of sizes) assert.equal(defaultLayout(size)?.length !== undefined, true, String(size));
  const [a, b] = [defaultLayout(536), defaultLayout(308)];
  assert.deepEqual([a?.[16]?.name, a?.[16]?.bits, a?.[24]?.name, a?.length], ['rip', 64, 'st0', 57]);
  assert.deepEqual([b?.[8]?.name, b?.[8]?.bits, b?.[16]?.name, b?.length], ['rip', 32, 'st0', 41]);
  for (const size of [0, 63, 100, 537]) assert.equal(defaultLayout(size), undefined, String(size));
});

/** A client connected to a server that `serve` speaks for. */
async function withServer(serve: (socket: Socket) => void, body: (socket: Socket) => Promise<void>): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  try {
    await body(socket);
  } finally {
    socket.destroy();
    server.close();
  }
}

test('QMP: answers by their ids, events between them, errors in words', () =>
  withServer(
    (socket) => {
      socket.write('{"QMP": {}}\n');
      socket.on('data', (text) => {
        for (const line of String(text).trim().split('\n')) {
          const { execute, id } = JSON.parse(line);
          socket.write('{"event": "STOP", "data": {"why": 1}}\n');
          if (execute === 'bad') socket.write(`{"id": ${id}, "error": {"class": "X", "desc": "not today"}}\r\n`);
          else socket.write(`{"id": ${id},\t"return": "${execute}"}\r\n`);
        }
      });
    },
    async (socket) => {
      const qmp = await QmpClient.open(socket);
      const events: string[] = [];
      qmp.onEvent = (name) => events.push(name);
      assert.deepEqual(await Promise.all([qmp.execute('one'), qmp.execute('two')]), ['one', 'two']);
      await assert.rejects(qmp.execute('bad'), /not today/);
      assert.deepEqual(events, ['STOP', 'STOP', 'STOP']);
      qmp.close();
      await assert.rejects(qmp.execute('late'), /over/);
    },
  ));

test('QMP: a server that says anything at all ends in an error, not in a hang', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.json(), fc.string()), { maxLength: 5 }), (lines) =>
      withServer(
        (socket) => socket.end(`${lines.join('\n')}\n`),
        async (socket) => {
          await assert.rejects(QmpClient.open(socket));
        },
      ),
    ),
    { seed: 6, numRuns: 50 },
  ));
