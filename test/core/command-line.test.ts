/** The core's program from outside: what it refuses, how it ends, and that it leaves nothing behind. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type HostReport, inspect } from '../../hypervisor-core/protocol/inspect.ts';
import { RspClient } from '../clients/rsp-client.ts';
import { RunningCore, withCore } from '../clients/running-core.ts';
import { sampleKernel } from '../guests/markers.ts';

const program = join(__dirname, '../core.js');
const folder = mkdtempSync(join(tmpdir(), 'ringside-cli-'));
after(() => rmSync(folder, { recursive: true }));

function core(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', input: '' });
  return { status, stdout, stderr };
}

test('what cannot be done is said in one line', () => {
  const text = join(folder, 'notes.txt');
  writeFileSync(text, 'not a kernel\n');
  const refusals: readonly (readonly [words: RegExp, args: readonly string[]])[] = [
    [/--cpus: .* from 1 to 64, not 65/, [sampleKernel, '--cpus', '65']],
    [/--framebuffer must be WIDTHxHEIGHT .*; not "9x9"/, [sampleKernel, '--framebuffer', '9x9']],
    [/--gdb: cannot listen on unix:.*the folder does not exist/, [sampleKernel, '--gdb', `unix:${folder}/x/y`]],
    [/notes\.txt/, [text]],
  ];
  for (const [words, args] of refusals) {
    const { status, stdout, stderr } = core('run', ...args);
    assert.equal(stdout, '');
    assert.match(stderr, words);
    assert.match(stderr, /^ringside: [^\n]*\n$/);
    assert.equal(status, 2);
  }
});

test('doctor finds that guests can run here', () => {
  const { status, stdout } = core('doctor', '--json');
  assert.equal(status, 0);
  const report: HostReport = JSON.parse(stdout);
  assert.equal(report.ok, true);
  assert.ok(report.facts.length > 5);
});

test('a signal that comes while KVM works, as a profiler sends them, is not taken for a failure', () => {
  const profiler = ['--cpu-prof', '--cpu-prof-interval', '100', '--cpu-prof-dir', folder];
  const { status, stdout } = spawnSync(process.execPath, [...profiler, program, 'doctor', '--json'], {
    encoding: 'utf8',
    input: '',
  });
  assert.equal(status, 0, stdout);
});

/** A zombie that nobody reaps is as good as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the end of a core', () => {
  test('when its lifeline closes while the guest runs; nothing is left', async () => {
    const running = await RunningCore.start();
    assert.equal(statSync(running.gdb).mode & 0o077, 0, 'sockets are for this user alone');
    const client = await RspClient.open(running.gdb);
    client.send('vCont;c');
    const { status, left } = await running.end();
    assert.deepEqual({ status, left }, { status: 0, left: [] });
    assert.equal(await client.reply(), 'X09');
    await client.closed();
  });

  test('when the program that drives it is killed', async () => {
    const sockets = ['--gdb', `unix:${folder}/orphan`, '--wait', '--lifeline'];
    const parent = spawn(process.execPath, [
      '-e',
      `const core = require('child_process').spawn(process.execPath, ${JSON.stringify([program, 'run', sampleKernel, ...sockets])}, { stdio: ['pipe', 'inherit', 'inherit'] });
       console.log(core.pid);`,
    ]);
    const pid = Number(String((await once(parent.stdout, 'data'))[0]));
    while (!existsSync(`${folder}/orphan`)) await new Promise((resolve) => setTimeout(resolve, 20));
    const client = await RspClient.open(`${folder}/orphan`);
    client.send('vCont;c');
    parent.kill('SIGKILL');
    await client.closed();
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(!existsSync(`${folder}/orphan`));
  });

  test('by a signal', async () => {
    const child = spawn(process.execPath, [program, 'run', sampleKernel, '--gdb', `unix:${folder}/signalled`]);
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    assert.equal((await once(child, 'close'))[0], 128 + 15);
    assert.ok(!existsSync(`${folder}/signalled`));
  });
});

test('two cores at once do not meet', () =>
  withCore(async (one) => {
    const other = await RunningCore.start();
    const [client, neighbour] = await Promise.all([RspClient.open(one.gdb), RspClient.open(other.gdb)]);
    const start = (await client.ask('p10')).match(/../g)!.reverse().join('');
    assert.equal(await neighbour.ask(`Z0,${start},1`), 'OK');
    const before = await client.ask('m7000,4');
    assert.equal(await neighbour.ask(`X7000,4:abcd`), 'OK');
    assert.notEqual(await neighbour.ask('m7000,4'), before);
    assert.equal(await client.ask('m7000,4'), before);
    neighbour.send('vCont;c');
    assert.match(await client.ask('vCont;s:1'), /^T05thread:1;/);
    assert.deepEqual(await other.end(), { status: 0, left: [] });
    await neighbour.closed();
    assert.match(await client.ask('vCont;s:1'), /^T05thread:1;/);
  }));

describe('the stub on a real machine', () => {
  test('breaks, steps, pauses and reads the same over both channels, and quits', () =>
    withCore(async (running) => {
      const client = await RspClient.open(running.gdb);
      const inspector = await running.inspect();
      assert.match(await client.ask('?'), /^T05thread:1;/);
      const pc = async () => Buffer.from(await client.ask('p10'), 'hex').readBigUInt64LE();
      const start = await pc();
      assert.match(await client.ask('vCont;s:1'), /^T05thread:1;/);
      const second = await pc();
      assert.notEqual(second, start);
      const place = `${second.toString(16)},10`;
      const before = await client.ask(`m${place}`);
      assert.equal(await client.ask(`Z0,${(await pc()).toString(16)},1`), 'OK');
      assert.equal(await client.ask(`m${place}`), before, 'traps do not show');
      const { data } = await inspector.sendRequest(inspect.readPhysical, {
        address: `0x${second.toString(16)}`,
        length: 16,
      });
      assert.equal(Buffer.from(data, 'base64').toString('hex'), before, 'the boot code is mapped one to one');
      const states: string[] = [];
      inspector.onNotification(inspect.onState, ({ kind }) => {
        states.push(kind);
      });
      client.send('vCont;c');
      let text = '';
      await new Promise<void>((resolve) =>
        inspector.onNotification(inspect.onConsole, ({ data: bytes }) => {
          text += Buffer.from(bytes, 'base64').toString();
          if (/Ringside sample guest\r\n/.test(text)) resolve();
        }),
      );
      client.interrupt();
      assert.match(await client.reply(), /^T02/);
      const { pending } = await inspector.sendRequest(inspect.interrupts, { vcpu: 0 });
      assert.match(pending.mpState, /running|halted/);
      assert.deepEqual(states, ['running', 'stopped']);
      const ended = once(running.process, 'close');
      await inspector.sendRequest(inspect.quit);
      assert.equal((await ended)[0], 0, 'quit, with the reply out');
      await client.closed();
    }));
});
