import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isLocal, listen, parseEndpoint } from './endpoint.ts';

describe('addresses', () => {
  test('are a Unix path, or a port on loopback unless a host is named', () => {
    assert.deepEqual(parseEndpoint('--gdb', 'unix:/tmp/a:b').listen, { path: '/tmp/a:b' });
    assert.deepEqual(parseEndpoint('--gdb', 'tcp:1234').listen, { host: '127.0.0.1', port: 1234 });
    assert.deepEqual(parseEndpoint('--gdb', 'tcp:[::1]:1').listen, { host: '::1', port: 1 });
    const local = (text: string) => isLocal(parseEndpoint('--gdb', text));
    assert.deepEqual(['tcp:1', 'tcp:localhost:1', 'unix:x', 'tcp:127.9.9.9:1'].map(local), [true, true, true, true]);
    assert.deepEqual(['tcp:0.0.0.0:1', 'tcp:[::]:1', 'tcp:127.evil.example:1'].map(local), [false, false, false]);
  });

  test('that are none say what one looks like', () => {
    for (const text of ['', '1234', 'tcp:', 'tcp:x', 'tcp:99999', 'unix:', 'tcp:a:b:1', 'udp:1']) {
      assert.throws(
        () => parseEndpoint('--gdb', text),
        /^Error: --gdb must be unix:PATH, tcp:PORT or tcp:HOST:PORT/,
        text,
      );
    }
    assert.throws(() => parseEndpoint('--inspect', `unix:/${'x'.repeat(120)}`), /--inspect: .* at most 107 bytes/);
  });

  test('a socket that a killed program left is taken over, one that is served is not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-endpoint-'));
    try {
      const path = join(folder, 'socket');
      const killed = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
      spawnSync(process.execPath, ['-e', killed]);
      assert.ok(existsSync(path));
      const endpoint = parseEndpoint('--gdb', `unix:${path}`);
      const server = await listen('--gdb', endpoint, (socket) => socket.destroy());
      await assert.rejects(
        listen('--gdb', endpoint, () => undefined),
        /--gdb: cannot listen on unix:.*: another program listens there/,
      );
      assert.ok(statSync(path).isSocket());
      await new Promise((resolve) => server.close(resolve));
      assert.ok(!existsSync(path));
      await assert.rejects(
        listen('--gdb', parseEndpoint('--gdb', `unix:${folder}/none/socket`), () => undefined),
        /the folder does not exist/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
