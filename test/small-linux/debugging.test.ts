/** The small Linux in the debugger: a stop within its start, beside gdb on the same guest at the same moment. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { GdbAnswer } from '../../debug-adapter/expressions/gdb-text.ts';
import { type CoreAdapter, coreAdapter } from '../adapter/core-adapter.ts';
import { runToStop, scopeOf, stack, variablesOf } from '../adapter/driving.ts';
import { assertAsGdb, gdbFrames, gdbOutput, gdbValues } from '../adapter/gdb-beside.ts';
import { cpu, shortInitramfs, smallLinux } from '../linux/linux-guest.ts';
import { patience } from '../patience.ts';
import { EARLY_COMMAND_LINE } from './early.ts';

const vmlinux = smallLinux.pvh.kernel;
const sources = process.env['RINGSIDE_SMALL_SOURCES'] ?? '';
const recorded = process.env['RINGSIDE_SMALL_RECORDED'] ?? '';
/** The commands that the kernel's own sources have for gdb. */
const scripts = process.env['RINGSIDE_SMALL_SCRIPTS'] ?? '';

/** The kernel's first process has just been made, out of start_kernel. */
const STOP = { file: 'kernel/fork.c', code: 'wake_up_new_task(p);' };
const EXPRESSIONS =
  `args->flags; args->exit_signal; args->fn; args->kill_seq; clone_flags; nr; trace; p; p->pid; p->comm; p->tasks
  p->se.load; p->se.run_node; p->se.avg.util_est; p->thread.sp; p->thread.tls_array[1]; p->cred->cap_permitted; p->cred->user
  p->real_parent->comm; p->sched_class->enqueue_task; &p->stack; p->on_cpu; sizeof *p; p->real_parent == &init_task; p->__state
  init_task.comm; init_task.cpus_mask; *init_task.nsproxy; system_state; jiffies; nr_threads
  total_forks; initcall_debug; boot_cpu_data.x86_vendor_id; boot_cpu_data.x86; $rip; (long)$rsp; $rbx; *(long *)$rsp; nr_cpu_ids
  init_mm.pgd; max_pfn; x86_hyper_type; boot_command_line[0]@20; saved_command_line; init_pid_ns.level; (enum system_states)2`
    .split(/[;\n]/)
    .map((text) => text.trim());

/** The line of the first place after `from` that holds `code`. */
function lineOf(path: string, from: string, code: string): number {
  const lines = readFileSync(path, 'utf8').split('\n');
  const start = lines.findIndex((line) => line.startsWith(from));
  return lines.findIndex((line, index) => index > start && line.includes(code)) + 1;
}

/** The time a line of the kernel's log begins with: `[    0.038320] `. */
const TIME = /^\[ *(\d+)\.(\d{6})\] /;
const withoutTime = (line: string): string => line.replace(TIME, '');
const microseconds = (line: string): number => Number((TIME.exec(line) ?? []).slice(1).join(''));

describe('the small Linux while it starts', { timeout: patience(400_000) }, () => {
  const path = join(sources, STOP.file);
  const line = lineOf(path, 'pid_t kernel_clone(', STOP.code);
  let folder: string;
  let socket: string;
  let adapter: CoreAdapter;
  let frames: Awaited<ReturnType<typeof stack>>;
  let theirs: Map<string, GdbAnswer>;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ringside-small-'));
    socket = join(folder, 'gdb');
    adapter = coreAdapter({ longest: 300_000 });
    const { client } = adapter;
    await client.request('initialize', { adapterID: 'kvm' });
    await client.request('launch', {
      backend: 'kvm',
      program: vmlinux,
      initrd: shortInitramfs,
      args: EARLY_COMMAND_LINE,
      memory: '64M',
      sourceMap: { [recorded]: sources },
      gdb: `unix:${socket}`,
      cpu,
    });
    await client.event('initialized');
    const { breakpoints } = await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
    assert.deepEqual([breakpoints[0]?.verified, breakpoints[0]?.line], [true, line]);
    await runToStop(client);
    frames = await stack(client);
    theirs = await gdbValues(vmlinux, socket, 0, EXPRESSIONS);
  });
  after(async () => {
    await adapter.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('stops at the line, with the source', () => {
    const [frame] = frames;
    assert.deepEqual([frame?.name, frame?.source?.path, frame?.line], ['kernel_clone', path, line]);
  });

  test('has the call stack that gdb sees, down to the first instruction of the kernel', async () => {
    // Of assembly, our names have the offset.
    const ours = frames.map(({ name, source, line }) => `${name.replace(/\+0x.*/, '')} ${source?.name}:${line}`);
    assert.deepEqual(ours, gdbFrames(await gdbOutput(vmlinux, socket, ['bt'])));
    for (const name of ['rest_init', 'start_kernel', 'secondary_startup_64']) {
      assert.ok(
        ours.some((frame) => frame.startsWith(`${name} `)),
        ours.join('\n'),
      );
    }
  });

  test('has the arguments and locals that gdb sees', async () => {
    const { client } = adapter;
    const scopes = await Promise.all(['Arguments', 'Locals'].map((name) => scopeOf(client, frames[0]!.id, name)));
    const variables = (await Promise.all(scopes.map((scope) => variablesOf(client, scope)))).flat();
    const text = await gdbOutput(vmlinux, socket, ['info args', 'info locals']);
    const names = [...text.matchAll(/^(\w+) = /gm)].map(([, name]) => name);
    assert.deepEqual(variables.map(({ name }) => name).sort(), names.sort());
  });

  test('has its address space told by regions, where gdb has what lies in them', async () => {
    const parts = ['addressSpace'] as const;
    const { addressSpace } = await adapter.client.request('ringside/snapshot', { threadId: 1, parts });
    assert.ok(addressSpace && 'ranges' in addressSpace, JSON.stringify(addressSpace));
    const regionOf = (address: bigint) =>
      addressSpace.ranges.find(({ start, size }) => address >= BigInt(start) && address - BigInt(start) < BigInt(size))
        ?.region;
    const places = {
      'direct map': 'p',
      vmalloc: 'p->stack',
      '.text': '&kernel_clone',
      '.data': '&init_task',
    };
    const expressions = Object.values(places);
    const text = await gdbOutput(
      vmlinux,
      socket,
      expressions.map((expression) => `printf "at %lx\\n", (unsigned long)${expression}`),
    );
    const addresses = [...text.matchAll(/^at ([0-9a-f]+)$/gm)].map(([, digits]) => BigInt(`0x${digits}`));
    // Of several sections the first.
    const first = addresses.map((address) => regionOf(address)?.replace(/^(\.\w+) .*/, '$1'));
    assert.deepEqual(first, Object.keys(places));
    const regions = new Set(addressSpace.ranges.map(({ region }) => region));
    for (const region of ['vmemmap', 'CPU entry area', 'fixmap']) assert.ok(regions.has(region), [...regions].join());
    assert.ok(!regions.has(undefined));
  });

  test('has the tasks and the log that the kernel’s own gdb commands read through the stub', async () => {
    const { client } = adapter;
    const [ps = '', dmesg = ''] = (
      await gdbOutput(vmlinux, socket, [`source ${scripts}`, 'lx-ps', 'echo -----\\n', 'lx-dmesg'])
    ).split('-----\n');
    const { tasks } = await client.request('ringside/snapshot', { threadId: 1, parts: ['tasks'] });
    assert.ok(tasks && 'tasks' in tasks, JSON.stringify(tasks));
    const theirs = [...ps.matchAll(/^(0x[0-9a-f]+) +(?:<\w+> +)?(\d+) +(\S+)$/gm)].map(
      ([, address = '', pid, comm]) => `${BigInt(address)} ${pid} ${comm}`,
    );
    assert.ok(theirs.length > 0, ps);
    assert.deepEqual(
      tasks.tasks.map(({ address, pid, comm }) => `${BigInt(address)} ${pid} ${comm}`).sort(),
      theirs.sort(),
    );
    const log = dmesg.split('\n').filter((line) => line.startsWith('['));
    assert.ok(log.length > 20, dmesg);
    const ours = (await client.request('ringside/kernelLog', {})).text.trimEnd().split('\n');
    assert.deepEqual(ours.map(withoutTime), log.map(withoutTime));
    // The kernel cuts nanoseconds off, as we do; lx-dmesg rounds to the nearest microsecond.
    const later = log.map((line, index) => microseconds(line) - microseconds(ours[index] ?? ''));
    assert.ok(
      later.every((difference) => difference === 0 || difference === 1),
      `${later}`,
    );
  });

  for (const expression of EXPRESSIONS) {
    test(`${expression} is what gdb shows`, () =>
      assertAsGdb(adapter.client, frames[0]!.id, expression, theirs.get(expression)));
  }

  test('stops before the kernel writes a control register, at the instructions that gdb names', async () => {
    const { client } = adapter;
    await client.request('setBreakpoints', { source: { path }, breakpoints: [] });
    await client.request('ringside/stopOn', { stops: ['cr0', 'cr3', 'cr4'] });
    for (let stop = 0; stop < 2; stop++) {
      await client.request('continue', { threadId: 1 });
      const { text = '', description = '' } = await client.stopped();
      const [, register = ''] = /about to (?:write 0x[0-9a-f]+ to|change) (cr[034]),/.exec(text || description) ?? [];
      const instruction = await gdbOutput(vmlinux, socket, ['x/i $pc']);
      assert.match(instruction, new RegExp(`%${register}|clts|lmsw`), `${text} ${description}`);
      // The write itself is inlined.
      const names = (await stack(client)).map(({ name }) => name);
      assert.ok(
        names.some((name) => instruction.includes(`<${name}`)),
        `${names}: ${instruction}`,
      );
    }
  });
});
