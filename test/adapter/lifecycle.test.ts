/** Beginnings and ends: bad input, restarts, guests and processes that die. Each says what happened and leaves nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineSnapshot, RegisterGroup } from '../../debug-adapter/protocol/custom.ts';
import { patience } from '../patience.ts';
import { coreAdapter, hostAnswers, noKvm } from './core-adapter.ts';
import {
  clearAt,
  evaluate,
  launch,
  move,
  printed,
  ready,
  runToStop,
  stack,
  stopAt,
  topFrame,
  type,
  withAdapter,
} from './driving.ts';
import { marker, SAMPLE } from './sample.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Ended {
  readonly message: string;
  readonly exitStatus: number;
  readonly last: MachineSnapshot;
}

/** Children of a process, by /proc. */
function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await delay(10);
}

/** How `unshare` gives a command mounts of its own: as a user's own root, or, where that is refused, as root. */
const privateMounts = [['-rm'], ['-m']].find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0);

describe('bad launch attributes', () => {
  const elf = readFileSync(SAMPLE);
  const wrongMachine = Buffer.from(elf);
  wrongMachine.writeUInt16LE(0xb7, 18);
  const cases: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
    ['no program', {}, /"program" is missing/],
    ['program of a wrong type', { program: 42 }, /"program" must be a path, not 42/],
    [
      'no such file',
      { program: '/no/such/kernel' },
      /"program": cannot read \/no\/such\/kernel: there is no such file/,
    ],
    ['a folder', { program: folder }, /"program".*not a file/],
    ['no kernel', { program: file('text', 'hello\n') }, /text is neither an ELF file nor a multiboot kernel/],
    [
      'a truncated ELF',
      { program: file('short.elf', elf.subarray(0, 200)) },
      /"program".*(truncated|beyond|ends|outside|end of)/,
    ],
    [
      'another architecture',
      { program: file('arm.elf', wrongMachine) },
      /"program".*(machine|architecture|x86|AArch64)/i,
    ],
    [
      'a module that is not there',
      { program: SAMPLE, modules: ['/no/such a=b'] },
      /"modules": cannot read \/no\/such:/,
    ],
    ['a module without a path', { program: SAMPLE, modules: [' '] }, /"modules" must each begin with a path/],
    ['memory that is no size', { program: SAMPLE, memory: 'lots' }, /"memory" must be a size/],
    [
      'memory larger than the machine',
      { program: SAMPLE, memory: '9999G' },
      /"memory": 9999G is more than this machine has/,
    ],
    ['cpus out of range', { program: SAMPLE, cpus: 0 }, /"cpus" must be a whole number from 1/],
    ['a bad gdb address', { program: SAMPLE, gdb: 'localhost' }, /"gdb" must be "unix:PATH" or "tcp:PORT"/],
    ['a way to boot that there is not', { program: SAMPLE, boot: 'grub' }, /"boot" must be one of auto, elf32/],
    [
      'a way to boot that does not fit',
      { program: SAMPLE, boot: 'pvh' },
      /no ELF note that gives an entry point for PVH/,
    ],
    ['a bad personality', { program: SAMPLE, personality: 'vax' }, /"personality" must be one of/],
    ['a bad framebuffer', { program: SAMPLE, framebuffer: '1024' }, /"framebuffer" must be WIDTHxHEIGHT .* not "1024"/],
    ['a bad source map', { program: SAMPLE, sourceMap: ['x'] }, /"sourceMap" must map/],
    ['bad arguments', { program: SAMPLE, args: [1] }, /"args" must be/],
    ['a bad flag', { program: SAMPLE, stopOnEntry: 'yes' }, /"stopOnEntry" must be true or false/],
    ['a backend that there is not', { program: SAMPLE, backend: 'xen' }, /"backend" must be one of auto, kvm, qemu/],
    ['a missing disk', { program: SAMPLE, disk: '/no/such/disk' }, /"disk": cannot read/],
    ['an empty disk', { program: SAMPLE, disk: file('empty.img', '') }, /--disk: .*empty\.img is empty/],
    ['nothing to persist', { program: SAMPLE, persist: true }, /"persist" needs a "disk"/],
    ['an unknown feature', { program: SAMPLE, cpu: { hide: ['simd'] } }, /"cpu.hide" holds "simd"/],
    ['a feature that cannot be had', { program: SAMPLE, cpu: { expose: ['ia64'] } }, /no ia64 to expose/],
    ['missing symbols', { program: SAMPLE, symbols: '/no/such/symbols' }, /"symbols": cannot read/],
  ];
  for (const [name, attributes, message] of cases) {
    test(name, () =>
      withAdapter(coreAdapter, async (client) => {
        const response = await client.send('launch', attributes);
        assert.equal(response.success, false);
        assert.match(response.message ?? '', message);
        assert.equal(response.body.error.showUser, true);
      }),
    );
  }
});

describe('ends', { skip: noKvm, timeout: patience(120_000) }, () => {
  test('the debug-exit port gives the exit status, and the last state is kept', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await ready(client);
      await type(client, 'q');
      const ended = await client.event<Ended>('ringside/ended');
      assert.equal(ended.exitStatus, 85);
      const registers = ended.last.registers as readonly RegisterGroup[];
      assert.ok(registers[0]?.registers.some(({ name }) => name === 'rip'));
      assert.equal((await client.event<{ exitCode: number }>('exited')).exitCode, 85);
      await client.event('terminated');
      await assert.rejects(client.request('stackTrace', { threadId: 1 }), /ended/);
    }));

  test('a triple fault stops with the registers readable, or says that this host loses them', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await ready(client);
      await type(client, 't');
      const stopped = await client.stopped();
      assert.match(stopped.text ?? '', /triple fault/i);
      const { name } = await topFrame(client);
      if (hostAnswers('shutdown-keeps-registers', 'yes')) assert.equal(name, 'triple_fault');
      else {
        assert.equal(name, '0xfff0', 'the reset vector');
        assert.match(stopped.text ?? '', /does not keep the registers/);
      }
      const info = await client.request('exceptionInfo', { threadId: stopped.threadId ?? 1 });
      assert.match(info.description ?? '', /triple fault/i);
      await client.request('continue', { threadId: 1 });
      const ended = await client.event<Ended>('ringside/ended');
      assert.match(ended.message, /triple fault/i);
    }));

  test('a core that is killed is noticed, running or stopped', () =>
    withAdapter(coreAdapter, async (client, { process: adapter }) => {
      await stopAt(client, 'apply');
      const [core] = childrenOf(adapter.pid ?? 0);
      assert.ok(core);
      process.kill(core, 'SIGKILL');
      const ended = await client.event<Ended>('ringside/ended');
      assert.match(ended.message, /killed by SIGKILL/);
      assert.ok(ended.last.registers, 'the last state is kept');
      await client.event('terminated');
    }));

  test('an adapter that is killed leaves no core and no folder', async () => {
    // A place of its own: other sessions on this machine have folders, too.
    const place = mkdtempSync(join(tmpdir(), 'ringside-killed-'));
    const adapter = coreAdapter({ before: ['env', `TMPDIR=${place}`] });
    await adapter.client.request('initialize', { adapterID: 'kvm' });
    await launch(adapter.client);
    await adapter.client.request('configurationDone');
    const [core] = childrenOf(adapter.process.pid ?? 0);
    assert.ok(core);
    adapter.process.kill('SIGKILL');
    await gone(core);
    assert.deepEqual(readdirSync(place), []);
    rmSync(place, { recursive: true });
  });

  test('disconnect ends guest and core; the adapter ends with its client', async () => {
    const adapter = coreAdapter();
    await adapter.client.request('initialize', { adapterID: 'kvm' });
    await launch(adapter.client);
    await adapter.client.request('configurationDone');
    const [core] = childrenOf(adapter.process.pid ?? 0);
    await adapter.client.request('disconnect', { terminateDebuggee: true });
    assert.equal(isAlive(core ?? 0), false);
    assert.equal(await adapter.close(), 0);
  });

  for (const request of ['disconnect', 'terminate'] as const) {
    test(`${request} tells the last state before the guest is gone`, () =>
      withAdapter(coreAdapter, async (client) => {
        await stopAt(client, 'apply');
        const { instructionPointerReference } = await topFrame(client);
        await client.request(request, {});
        const { last } = await client.event<Ended>('ringside/ended');
        const registers = last.registers as readonly RegisterGroup[];
        const rip = registers.flatMap((group) => group.registers).find(({ name }) => name === 'rip');
        assert.equal(BigInt(rip?.value ?? 0), BigInt(instructionPointerReference ?? 0));
        assert.ok(last.pageTables && last.memoryMap && last.hypercalls);
      }));
  }

  test('a disconnect in the middle of a launch leaves nothing', async () => {
    const adapter = coreAdapter();
    await adapter.client.request('initialize', { adapterID: 'kvm' });
    const launched = adapter.client.send('launch', { program: SAMPLE, memory: '64M' });
    await adapter.client.request('disconnect', {});
    await launched;
    assert.deepEqual(childrenOf(adapter.process.pid ?? 0), []);
    assert.equal(await adapter.close(), 0);
  });

  test('restart takes the same machine back to its entry, stopped or running; a kernel built anew gets a new one', async () => {
    const program = file('built-anew.elf', readFileSync(SAMPLE));
    await withAdapter(coreAdapter, async (client, adapter) => {
      const machines = () => childrenOf(adapter.process.pid ?? 0);
      await launch(client, { program, stopOnEntry: true });
      await runToStop(client);
      const entry = await topFrame(client);
      const first = machines();
      assert.equal(first.length, 1);
      for (const running of [false, true]) {
        await move(client, 'next', { granularity: 'instruction' });
        if (running) await client.request('continue', { threadId: 1 });
        await client.request('restart', {});
        await client.stopped();
        assert.equal((await topFrame(client)).instructionPointerReference, entry.instructionPointerReference);
        assert.deepEqual(machines(), first);
      }
      utimesSync(program, 1, 1);
      await client.request('restart', {});
      await client.stopped();
      assert.equal(machines().length, 1);
      assert.notDeepEqual(machines(), first);
    });
  });

  test('restart counts hits from zero again, stopped or running', () =>
    withAdapter(coreAdapter, async (client, adapter) => {
      await launch(client);
      const { path, line } = marker('showcase-loop');
      const breakpoints = [{ line, hitCondition: '2' }];
      await client.request('setBreakpoints', { source: { path }, breakpoints });
      await runToStop(client);
      const machines = childrenOf(adapter.process.pid ?? 0);
      const place = () => Promise.all(['pass', 'index'].map((name) => evaluate(client, name)));
      assert.deepEqual(await place(), ['0', '1']);
      for (const running of [false, true]) {
        if (running) await client.request('continue', { threadId: 1 });
        await client.request('restart', {});
        await client.stopped();
        assert.deepEqual(await place(), ['0', '1']);
      }
      assert.deepEqual(childrenOf(adapter.process.pid ?? 0), machines);
    }));

  test('restart keeps the breakpoints', () =>
    withAdapter(coreAdapter, async (client) => {
      await stopAt(client, 'apply');
      await move(client, 'continue');
      const [first] = await stack(client);
      await client.request('restart', {});
      const stopped = await client.stopped();
      assert.deepEqual(stopped.hitBreakpointIds, [1]);
      assert.equal((await topFrame(client)).line, first?.line);
      await clearAt(client, 'apply');
      await client.request('terminate', {});
      await client.event('terminated');
    }));

  test(
    'a device that may not be opened is said with a remedy',
    { skip: process.getuid?.() !== 0 && 'needs root' },
    () =>
      withAdapter(
        () => coreAdapter({ before: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] }),
        async (client) => {
          const response = await client.send('launch', { program: SAMPLE, backend: 'kvm' });
          assert.equal(response.success, false);
          assert.match(response.message ?? '', /\/dev\/kvm/);
          assert.match(response.message ?? '', /usermod|group/);
        },
      ),
  );

  test('a device that is missing is said with a remedy', {
    skip: !privateMounts && 'needs mount namespaces',
  }, () => {
    const dev = join(folder, 'dev');
    mkdirSync(dev);
    const hideKvm = [
      'mount -t tmpfs none "$0"',
      'for node in null random urandom; do : >"$0/$node" && mount --bind "/dev/$node" "$0/$node" || exit; done',
      'mount --rbind "$0" /dev',
      'exec "$@"',
    ].join(' && ');
    return withAdapter(
      () => coreAdapter({ before: ['unshare', ...(privateMounts ?? []), 'sh', '-c', hideKvm, dev] }),
      async (client) => {
        const response = await client.send('launch', { program: SAMPLE, backend: 'kvm' });
        assert.equal(response.success, false);
        assert.match(response.message ?? '', /There is no \/dev\/kvm/);
        assert.match(response.message ?? '', /modprobe|BIOS|firmware|nested/i);
      },
    );
  });

  test('an instruction that the host cannot run in the kernel stops there, named, or is run', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await ready(client);
      await type(client, 'u');
      const stopped = client.stopped().then(async ({ text }) => {
        assert.match(text ?? '', /fnstsw|fstsw|df e0|instruction/i);
        assert.equal((await topFrame(client)).name, 'unusual_instruction');
      });
      const ran = printed(client, 'x87 status');
      await Promise.race([stopped, ran]);
      for (const unwanted of [stopped, ran]) unwanted.catch(() => undefined);
    }));
});

test('breakpoints set before there is a guest are planted in it', { skip: noKvm }, () =>
  withAdapter(coreAdapter, async (client) => {
    const { path, line } = marker('apply');
    const early = await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
    const [waiting] = early.breakpoints;
    assert.deepEqual([waiting?.verified, waiting?.message], [false, 'The guest is not loaded yet.']);
    await launch(client);
    const told = await client.event<{ breakpoint: { id: number; verified: boolean; line: number; message?: string } }>(
      'breakpoint',
    );
    const { id, verified, line: at, message } = told.breakpoint;
    assert.deepEqual([id, verified, at, message], [waiting?.id, true, line, undefined]);
    assert.deepEqual((await runToStop(client)).hitBreakpointIds, [id]);
    assert.equal((await topFrame(client)).name, 'apply');
  }),
);

test('requests in a wrong order are refused, not fatal', { skip: noKvm }, () =>
  withAdapter(coreAdapter, async (client) => {
    await assert.rejects(client.request('stackTrace', { threadId: 1 }), /launch comes first/);
    await assert.rejects(client.request('configurationDone', {}), /launch comes first/);
    await launch(client, { stopOnEntry: true });
    await assert.rejects(client.request('launch', { program: SAMPLE }), /has a guest already/);
    await assert.rejects(client.request('stackTrace', { threadId: 99 }), /no vCPU with id 99/);
    await runToStop(client);
    assert.equal((await client.send('no-such-request')).success, false);
  }),
);
