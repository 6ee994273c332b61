/** Debian's kernel warns, hangs, oopses and panics: each is a stop that says why, and gdb sees the same call stack. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CoreAdapter, coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, stack } from '../adapter/driving.ts';
import { endChild, startQemu } from '../stubs/attach-adapter.ts';
import { files, launchLinux, saidOnConsole, type } from './guest.ts';

const ALL = ['linux-panic', 'linux-oops', 'linux-lockup', 'linux-rcu-stall', 'linux-hung-task', 'linux-warn'];
/** A handler of the magic SysRq key that is ended by what is done to it. */
const HANDLER = 'sysrq_handle_showmem';
/** One that says little. */
const QUIET_HANDLER = 'sysrq_handle_loglevel';
const ADDRESS = '0x[0-9a-f]+';

describe('a Linux that says that something went wrong', { timeout: 300_000 }, () => {
  let adapter: CoreAdapter;

  before(async () => {
    adapter = coreAdapter({ longest: 120_000 });
    const { client } = adapter;
    await launchLinux(client, { args: 'console=ttyS0 nokaslr watchdog_thresh=1 rcupdate.rcu_cpu_stall_timeout=3' });
    const set = await client.request('setExceptionBreakpoints', { filters: ALL });
    assert.deepEqual(
      set?.breakpoints?.map(({ verified }) => verified),
      ALL.map(() => true),
    );
    await client.request('configurationDone');
    await saidOnConsole(client);
  });

  after(() => adapter.close());

  /** Has the guest stop in the handler, on a process of its own. */
  const inHandler = () => inFunction({ name: HANDLER }, '(echo m >/proc/sysrq-trigger)');

  async function inFunction(breakpoint: { name: string; condition?: string }, command: string): Promise<void> {
    const { client } = adapter;
    await client.request('setFunctionBreakpoints', { breakpoints: [breakpoint] });
    await type(client, command);
    assert.equal((await client.stopped()).hitBreakpointIds?.length, 1);
    // What a test puts there is not to be stopped at.
    await client.request('setFunctionBreakpoints', { breakpoints: [] });
  }

  const set = (expression: string, value: string) => adapter.client.request('setExpression', { expression, value });

  const go = () => adapter.client.request('continue', { threadId: 1 });

  /** The stop that comes next, as it is announced and as it is told in full. */
  async function crash() {
    const { client } = adapter;
    const { text = '', description: shown } = await client.stopped();
    assert.equal(shown, text);
    const { exceptionId, description, details } = await client.request('exceptionInfo', { threadId: 1 });
    assert.equal(description, text, 'as it was announced');
    return { text, exceptionId, details: details?.stackTrace ?? '' };
  }

  test('WARN: the words, and where', async () => {
    await inHandler();
    // REFCOUNT_ADD_UAF of a counter on the stack.
    await set('$rdi', '(long)$rsp - 1024');
    await set('$rsi', '2');
    await set('$rip', '(long)&refcount_warn_saturate');
    await go();
    const { text, exceptionId, details } = await crash();
    assert.equal(exceptionId, 'Linux: WARN');
    assert.match(
      text,
      /^WARNING: at lib\/refcount\.c:\d+ refcount_warn_saturate\+0x[0-9a-f]+: refcount_t: addition on 0; use-after-free\.$/,
    );
    assert.match(details, /^RIP: refcount_warn_saturate\+/m);
    await go();
  });

  /** Has the guest run on where it stopped until it complains; then it goes on. */
  async function hang() {
    const place = await evaluate(adapter.client, '(unsigned long)$rip');
    const instruction = await evaluate(adapter.client, '*(unsigned short *)$rip');
    // jmp .
    await set('*(unsigned short *)$rip', '0xfeeb');
    await go();
    const complaint = await crash();
    const names = (await stack(adapter.client)).map(({ name }) => name);
    await set(`*(unsigned short *)${place}`, instruction);
    await go();
    return { ...complaint, names };
  }

  test('a soft lockup: the words of the watchdog', async () => {
    await inHandler();
    const { text, details, names } = await hang();
    assert.match(text, /^watchdog: BUG: soft lockup - CPU#0 stuck for \d+s! \[sh:\d+\]$/);
    assert.ok(names.includes('add_taint') && names.includes(HANDLER), names.join());
    assert.match(details, new RegExp(`^ ${HANDLER} \\(`, 'm'));
  });

  test('an RCU stall: the words of the kernel', async () => {
    const { client } = adapter;
    await client.request('setExceptionBreakpoints', { filters: ['linux-rcu-stall'] });
    // SysRq has its handlers hold up RCU, but also its warnings. There is to be a grace period: each file that is closed asks for one.
    await inFunction(
      { name: QUIET_HANDLER, condition: '(rcu_state.gp_seq & 3) != 0' },
      'while echo 7 >/proc/sysrq-trigger; do :; done &',
    );
    await set('rcu_cpu_stall_suppress', '0');
    const { text, exceptionId, details, names } = await hang();
    assert.equal(exceptionId, 'Linux: RCU stall');
    assert.match(
      text,
      /^rcu: INFO: rcu_(preempt|sched) (self-detected stall on CPU|detected stalls on CPUs\/tasks:) .*\bt=\d+ jiffies,? g=-?\d+/,
    );
    assert.ok(names.includes('rcu_check_gp_kthread_starvation') && names.includes(QUIET_HANDLER), names.join());
    assert.match(details, new RegExp(`^ ${QUIET_HANDLER} \\(`, 'm'));
    await client.request('setExceptionBreakpoints', { filters: ALL });
    await type(client, 'kill $!');
  });

  /** The member of task_struct, which was renamed when all kinds of access to it were looked through. */
  const stateOfTask = () =>
    evaluate(adapter.client, 'init_task.__state').then(
      () => '__state',
      () => 'state',
    );

  test('a hung task: its own call trace, as the kernel then prints it', async () => {
    const { client } = adapter;
    await inHandler();
    const { tasks } = await client.request('ringside/snapshot', { threadId: 1, parts: ['tasks'] });
    // It waits for a pipe to have room: sleeps in which a task may be frozen were never taken for hung.
    const sleeper = tasks && 'tasks' in tasks ? tasks.tasks.find(({ comm }) => comm === 'cat') : undefined;
    // TASK_UNINTERRUPTIBLE, as if it slept for a device that does not answer.
    await set(`((struct task_struct *)${sleeper?.address})->${await stateOfTask()}`, '2');
    await go();
    await type(client, 'echo 1 >/proc/sys/kernel/hung_task_timeout_secs');
    const { text, exceptionId, details } = await crash();
    assert.equal(exceptionId, 'Linux: hung task');
    assert.match(text, new RegExp(`^INFO: task cat:${sleeper?.pid} blocked for more than \\d+ seconds\\.$`));
    assert.ok(details.startsWith(`cat (${sleeper?.pid}), state D\nCall trace:\n `), details);
    await set('sysctl_hung_task_timeout_secs', '0');
    await go();
    // Up to the end of a line: output comes in pieces of any length.
    const printed = await saidOnConsole(client, /task:cat[\s\S]*entry_SYSCALL_64_after_hwframe[^\n]*\n/);
    const theirs = [...printed.replace(/^[\s\S]*task:cat/, '').matchAll(/\] {2}(\w+)\+0x/g)].map(([, name]) => name);
    const ours = [...details.matchAll(/^ (\w+) \(/gm)].map(([, name]) => name);
    // Inlined functions are ours alone, a label in the entry is theirs.
    assert.equal(theirs.pop(), 'entry_SYSCALL_64_after_hwframe', printed);
    assert.ok(
      theirs.some((name) => name?.startsWith('pipe_w')),
      printed,
    );
    const shared = ours.filter((name) => theirs.includes(name));
    assert.deepEqual(shared, theirs);
  });

  test('an oops: what was accessed, the registers and call trace of where it happened', async () => {
    await inHandler();
    await set('$r12', '0x1234567');
    await set('$rip', '0');
    await go();
    const { text, exceptionId, details } = await crash();
    assert.equal(exceptionId, 'Linux: oops and BUG');
    assert.match(text, /^BUG: kernel NULL pointer dereference, address: 0000000000000000: Oops: 0010 at 0x0$/);
    assert.match(details, /^CPU 0, sh \(\d+\)\nRIP: 0x0 \(0x0\)\n/);
    assert.match(details, /\bR12: 0000000001234567\b/);
    assert.match(details, /\bCR2: 0000000000000000\b/);
    assert.match(details, /^Call trace:\n 0x0\n __handle_sysrq \(.+\n write_sysrq_trigger \(.+:\d+\)\n/m);
    assert.match(details, /^#PF: supervisor instruction fetch in kernel mode$/m);
    await go();
  });

  test('a panic: its message, and the console stays when the guest is gone', async () => {
    const { client } = adapter;
    await type(client, 'echo c >/proc/sysrq-trigger');
    const { text, details } = await crash();
    assert.equal(text, 'Kernel panic - not syncing: sysrq triggered crash');
    assert.match(details, /^Call trace:\n panic \(.+\n sysrq_handle_crash /m);
    await client.request('setExceptionBreakpoints', { filters: [] });
    await go();
    await saidOnConsole(client, 'end Kernel panic - not syncing: sysrq triggered crash');
  });
});

describe('a panic under a QEMU that runs already', { timeout: 300_000 }, () => {
  test(`the call stack is gdb's`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-crash-'));
    const more = ['-initrd', files.initramfs, '-append', 'console=ttyS0 nokaslr crash=c'];
    const { child, sockets } = startQemu(folder, files.kernel, '-m', '160', ...more);
    const adapter = coreAdapter({ longest: 120_000 });
    try {
      const { client } = adapter;
      await client.request('initialize', { adapterID: 'kvm' });
      const target = `unix:${sockets.gdb}`;
      await client.request('attach', { target, qmp: `unix:${sockets.qmp}`, program: files.vmlinux });
      await client.event('initialized');
      await client.request('setExceptionBreakpoints', { filters: ['linux-panic'] });
      await client.request('configurationDone');
      const { text = '' } = await client.stopped();
      assert.match(text, /sysrq triggered crash/);
      const ours = (await stack(client)).map(({ name }) => name.replace(/\+0x.*/, ''));
      // Without a farewell the guest stays where it is.
      adapter.process.kill('SIGKILL');
      const commands = ['set confirm off', `target remote ${sockets.gdb}`, 'backtrace'];
      const parameters = ['-nx', '-batch', files.vmlinux, ...commands.flatMap((command) => ['-ex', command])];
      const told = execFileSync('gdb', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const theirs = [...told.matchAll(new RegExp(`^#\\d+ +(?:${ADDRESS} in )?(\\w+)`, 'gm'))].map(([, name]) => name);
      // What it makes of the frame below the system call's entry is no code.
      const entry = theirs.indexOf('entry_SYSCALL_64');
      assert.ok(theirs.includes('sysrq_handle_crash') && entry > 8, told);
      assert.deepEqual(ours.slice(0, entry + 1), theirs.slice(0, entry + 1));
    } finally {
      await adapter.close();
      await endChild(child);
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
