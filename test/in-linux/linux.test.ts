/** Debian's kernel under QEMU, stopped: its tasks, stacks, log and modules, beside what drgn reads of our vmcore of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { LinuxTask, TasksPart } from '../../debug-adapter/protocol/custom.ts';
import { type CoreAdapter, coreAdapter } from '../adapter/core-adapter.ts';
import { Page } from '../guides/page.ts';
import { Reader } from '../guides/reader.ts';
import { crash, crashTasks } from './crash-utility.ts';
import { drgn, readable } from './drgn.ts';
import { files, launchLinux, saidOnConsole, type } from './guest.ts';

const CPUS = 2;
/** include/linux/sched.h */
const PF_KTHREAD = 0x0020_0000;

let adapter: CoreAdapter;
let folder: string;
let theirs: ReturnType<typeof drgn>;
let shown: TasksPart;
/** What the guest itself says of its interrupts and timers, right before the stop. */
let listed: string;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-linux-'));
  adapter = coreAdapter({ longest: 300_000 });
  const { client } = adapter;
  // Where KASLR puts it.
  await launchLinux(client, { cpus: CPUS, args: 'console=ttyS0' });
  await client.request('configurationDone');
  await saidOnConsole(client);
  await type(client, 'cat /proc/interrupts /proc/timer_list; echo "listed: all"');
  listed = await saidOnConsole(client, /^listed: all/m);
  await client.request('pause', { threadId: 1 });
  await client.stopped();
  const snapshot = await client.request('ringside/snapshot', { threadId: 1, parts: ['tasks'] });
  assert.ok(snapshot.tasks && 'tasks' in snapshot.tasks, JSON.stringify(snapshot.tasks));
  shown = snapshot.tasks;
  const path = join(folder, 'vmcore');
  const { size } = await client.request('ringside/writeVmcore', { path });
  assert.ok(size > 100 << 20, `${size} bytes`);
  theirs = drgn(path, files.vmlinux, CPUS);
});

after(async () => {
  await adapter.close();
  rmSync(folder, { recursive: true, force: true });
});

const line = ({ pid, tgid, parent, state, cpu, flags, stack, address, comm }: LinuxTask) =>
  `${pid} ${tgid} ${parent} ${state} ${cpu} 0x${flags.toString(16)} ${stack} ${address} ${comm}`;

/** For a test of what this release's crash can read of such a kernel. */
const whereCrash = (reads: string): typeof test | undefined => (files.crashReads.includes(reads) ? test : undefined);

describe('a stopped Linux, beside drgn on a vmcore of the same stop', { timeout: 300_000 }, () => {
  test('as the page about other debuggers has drgn read it', async () => {
    const reader = new Reader();
    symlinkSync(join(folder, 'vmcore'), join(reader.folder, 'vmcore'));
    const vmlinux = join(reader.folder, 'vmlinux');
    if (readable(files.vmlinux, vmlinux) !== vmlinux) symlinkSync(files.vmlinux, vmlinux);
    const printed = await reader.follow(new Page('clients'), 'drgn');
    reader.close();
    assert.deepEqual(
      printed
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0])
        .sort(),
      theirs('task')
        .map((line) => line.split(' ')[0])
        .sort(),
    );
  });

  test('every task', () => {
    const idle = new Set(theirs('idle'));
    const ours = shown.tasks.map(line);
    assert.equal(shown.problem, undefined);
    assert.ok(ours.length > 40, `${ours.length} tasks`);
    assert.deepEqual(ours.filter((each) => !idle.has(each)).sort(), theirs('task').sort());
    assert.deepEqual(ours.filter((each) => idle.has(each)).length, CPUS);
    assert.ok(shown.tasks.some(({ comm, tgid, pid }) => comm === 'sleep' && tgid === pid));
  });

  whereCrash('tasks')?.('every task, as crash lists them from our vmcore', () => {
    // It says of no idle task whose child it is.
    const ours = shown.tasks.map(({ pid, parent, cpu, address }) => `${pid} ${pid && parent} ${cpu} ${address}`);
    assert.deepEqual(ours.sort(), crashTasks(join(folder, 'vmcore'), files.vmlinux).sort());
  });

  test('what each vCPU runs, in the Call Stack and in the vCPUs view', async () => {
    const running = Array.from({ length: CPUS }, (_, n) => shown.tasks.find(({ threadId }) => threadId === n + 1));
    assert.deepEqual(
      running.map((task) => task && line(task)),
      theirs('current'),
    );
    const { threads } = await adapter.client.request('threads');
    const names = running.map((task) => `${task?.comm} (${task?.pid})`);
    assert.deepEqual(
      threads.map(({ name }) => name.replace(/^.*?: /, '')),
      names,
    );
    const { vcpus } = await adapter.client.request('ringside/snapshot', { threadId: 1, parts: ['vcpus'] });
    assert.ok(vcpus && 'vcpus' in vcpus, JSON.stringify(vcpus));
    assert.deepEqual(
      vcpus.vcpus.map(({ task }) => task),
      names,
    );
  });

  test('call stacks of all tasks that sleep', async () => {
    const differences: string[] = [];
    const stacks = theirs('stack');
    assert.ok(stacks.length > 40);
    for (const stack of stacks) {
      const [address = '', ...names] = stack.split(' ');
      const { frames } = await adapter.client.request('ringside/taskStack', { address: address as `0x${string}` });
      const ours = frames.map(({ name }) => name.replace(/\+0x.*/, ''));
      // drgn tells of inlined functions apart; ours has them as frames.
      const missing = names.filter((name) => name !== '' && !ours.includes(name));
      if (ours[0] === undefined || missing.length > 0) differences.push(`${names.join(' ')} is ${ours.join(' ')}`);
    }
    assert.deepEqual(differences, []);
  });

  test('the log', async () => {
    const { text, problem } = await adapter.client.request('ringside/kernelLog', {});
    assert.equal(problem, undefined);
    const wanted = theirs('log').flatMap((record) => {
      const [, time = '', body = ''] = /^(\d+) (.*)$/.exec(record) ?? [];
      const seconds = `${Math.floor(Number(time) / 1e6)}`.padStart(5);
      const prefix = `[${seconds}.${time.padStart(6, '0').slice(-6)}] `;
      // A record of several lines has the time before each; drgn's text comes with escapes.
      return body.split('\\n').map((line) => prefix + line.replaceAll('\\t', '\t').replaceAll('\\\\', '\\'));
    });
    assert.ok(wanted.length > 100);
    assert.deepEqual(text.trimEnd().split('\n'), wanted);
  });

  whereCrash('log')?.('the log, as crash reads it from our vmcore', async () => {
    const { text } = await adapter.client.request('ringside/kernelLog', {});
    const lines = text.trimEnd().split('\n');
    // It has the time before the first line of a record alone.
    const prefix = '[    0.000000] '.length;
    const inCrash = crash(join(folder, 'vmcore'), files.vmlinux, 'log').slice(-lines.length);
    assert.deepEqual(
      inCrash.map((each, n) => (each.startsWith('[') ? each : lines[n]?.slice(0, prefix) + each.slice(prefix))),
      lines,
    );
  });

  test('modules', async () => {
    const { modules } = await adapter.client.request('modules', {});
    const [program, ...loaded] = modules;
    assert.match(program?.name ?? '', /^vmlinu/);
    const ours = loaded.map(({ name, addressRange }) => `${name} ${addressRange?.replace('-', ' ')}`);
    assert.ok(ours.length >= 2, ours.join());
    assert.deepEqual(ours, theirs('module'));
  });

  test('interrupts with their handlers, as the guest’s own /proc/interrupts', async () => {
    const { irqs, problem } = await adapter.client.request('ringside/linuxIrqs', {});
    assert.equal(problem, undefined);
    const rows = [...listed.matchAll(/^ *(\d+): +(\d+) +(\d+) +(\S+) +(\d+)-(\S+) *(.*?)\r?$/gm)];
    assert.ok(rows.length >= 4, listed);
    assert.deepEqual(
      irqs.map(({ number, chip, hardware, flow, actions }) => [
        ...[number, chip, hardware, flow].map(String),
        actions.map(({ name }) => name).join(', '),
      ]),
      rows.map(([, number, , , chip, hardware, flow, names]) => [number, chip, hardware, flow, names]),
    );
    for (const [, number, first, second] of rows) {
      const { counts, actions } = irqs.find((irq) => irq.number === Number(number)) ?? assert.fail();
      assert.equal(counts.length, CPUS);
      [first, second].forEach((said, cpu) => {
        assert.ok(
          (counts[cpu] ?? 0) >= Number(said) && (counts[cpu] ?? 0) < Number(said) + 10_000,
          `${number}: ${counts}`,
        );
      });
      for (const { symbol } of actions) assert.match(symbol, /^\w+$/);
    }
    const serial = irqs.find(({ actions }) => actions.some(({ name }) => name === 'ttyS0'));
    assert.deepEqual(serial?.actions[0]?.symbol, 'serial8250_interrupt');
  });

  test('timers, as the guest’s own /proc/timer_list and as drgn', async () => {
    const { timers, problem } = await adapter.client.request('ringside/linuxTimers', {});
    assert.equal(problem, undefined);
    const wheel = timers.filter(({ clock }) => clock === 'jiffies');
    assert.ok(wheel.length > 5);
    assert.deepEqual(
      wheel.map(({ cpu, address, expires, symbol }) => `${cpu} ${address} ${expires} ${symbol}`),
      theirs('timer'),
    );
    // Those that were not to come for long; but the tick, which a CPU that idles puts off until it wakes.
    const far = /^ *#\d+: <.*?>, (\w+), .*\n *# expires at \d+-(\d+) nsecs \[in (\d{11,}) /gm;
    const sleeping = [...listed.replaceAll('\r', '').matchAll(far)]
      .filter(([, name]) => !name?.startsWith('tick_'))
      .map(([, name, expires]) => `${name} ${expires}`);
    assert.ok(sleeping.length >= 3, listed);
    const ours = new Set(timers.map(({ symbol, expires }) => `${symbol} ${expires}`));
    assert.deepEqual(
      sleeping.filter((each) => !ours.has(each)),
      [],
    );
  });

  const whatIs = async (address: string) =>
    (await adapter.client.request('ringside/whatIs', { threadId: 1, address })).lines;

  test('what is at an address, as drgn has it', async () => {
    const known = theirs('what').flatMap((line) => [/^(0x[0-9a-f]+) (free )?(.+?): (.+)$/.exec(line) ?? []]);
    const differences: string[] = [];
    const kinds = new Set<string>();
    for (const [, address, unused = '', kind = '', what] of known) {
      if (address === undefined) continue;
      kinds.add(unused + kind);
      const wanted = `${unused}${kind.replace(' symbol', '')} ${what}`;
      const lines = await whatIs(address);
      if (!lines.some((line) => line.replace(/, of \d+ bytes.*/, '') === wanted))
        differences.push(`${address}: ${wanted}, not ${lines.join('; ')}`);
    }
    assert.deepEqual(differences, []);
    // That drgn knows slabs by this flag, which newer kernels have no more.
    const flag = await adapter.client.request('evaluate', { expression: 'PG_slab' }).catch(() => undefined);
    for (const kind of ['object symbol', 'function symbol', ...(flag ? ['slab object', 'free slab object'] : [])])
      assert.ok(kinds.has(kind), [...kinds].join());
  });

  test('regions of the address space, where drgn finds what lies in them', async () => {
    const differences: string[] = [];
    const seen = new Set<string>();
    for (const line of theirs('region')) {
      const [, address = '', name = ''] = /^(0x[0-9a-f]+) (.+)$/.exec(line) ?? [];
      seen.add(name);
      const said = (await whatIs(address)).at(-1);
      if (!said?.startsWith(`region ${name}, `)) differences.push(`${address}: ${name}, not ${said}`);
    }
    assert.deepEqual(differences, []);
    assert.deepEqual([...seen].sort(), ['CPU entry area', 'direct map', 'modules', 'vmalloc', 'vmemmap']);
  });

  test('tasks, their stacks and structures, and per-CPU variables, by their addresses', async () => {
    const has = async (address: string, wanted: string) => {
      const lines = await whatIs(address);
      assert.ok(
        lines.some((line) => line.startsWith(wanted)),
        `${address}: ${wanted}, not ${lines.join('; ')}`,
      );
    };
    const processes = shown.tasks.filter(({ flags, tgid }) => (flags & PF_KTHREAD) === 0 && tgid !== 0);
    assert.ok(processes.length >= 4);
    for (const { address, comm, pid, stack } of processes.slice(0, 6)) {
      const task = `((struct task_struct *)${address})`;
      await has(address, `task_struct of ${comm} (${pid}), offset 0x0`);
      await has(`&${task}->comm`, 'slab object task_struct+0x');
      await has(`${stack} + 0x2000`, `kernel stack of ${comm} (${pid}), 0x2000 of 0x4000 bytes`);
      await has(`${stack} + 0x2000`, `vmalloc area ${stack}-`);
      for (const [member, cache] of Object.entries({
        signal: 'signal_cache',
        sighand: 'sighand_cache',
        files: 'files_cache',
      }))
        await has(`${task}->${member}`, `slab object ${cache}+0x0`);
    }
    await has('&per_cpu(runqueues, 1).curr', 'per-CPU variable runqueues+0x');
    assert.match((await whatIs('&per_cpu(runqueues, 1)')).join(), /^per-CPU variable runqueues of CPU 1/);
  });

  test('what a process had is free once it has ended', async () => {
    const { client } = adapter;
    const sleeper = shown.tasks.find(({ comm }) => comm === 'sleep') ?? assert.fail();
    const expression = `(unsigned long)((struct task_struct *)${sleeper.address})->files,x`;
    const { result: files } = await client.request('evaluate', { expression });
    const inCache = async () => (await whatIs(files)).filter((line) => line.includes('slab object files_cache+0x0'));
    assert.match((await inCache()).join(), /^slab /);
    await client.request('continue', { threadId: 1 });
    // The shell does all of this itself: another process would take what is free.
    const wait = `while [ -L /proc/${sleeper.pid}/fd/1 ]; do :; done`;
    await type(client, `kill ${sleeper.pid}; ${wait}; echo "ended: all"`);
    await saidOnConsole(client, /^ended: all/m);
    await client.request('pause', { threadId: 1 });
    await client.stopped();
    assert.match((await inCache()).join(), /^free slab /);
  });
});
