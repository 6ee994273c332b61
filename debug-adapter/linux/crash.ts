/**
 * Where Linux gives up or complains: the functions that it does so in, and what it says there. They are the same from
 * Linux 5.10 to 6.12: kernel/panic.c, arch/x86/kernel/dumpstack.c, kernel/watchdog.c, kernel/rcu/tree_stall.h,
 * kernel/hung_task.c.
 */
import { argumentsAtEntry, argumentsOf, formatted, textAt } from './format.ts';
import type { Kernel } from './kernel.ts';
import { lastSaid, RECENT_TRACE, recentLog, saidOfStall } from './recent-log.ts';

export interface CrashKind {
  /** Of a DAP exception filter. */
  readonly filter: string;
  readonly label: string;
  readonly description: string;
  /** Stops on it unless told not to. */
  readonly default: boolean;
  /** Its functions; a kernel may lack some. All are stopped in at their first instruction. */
  readonly functions: readonly string[];
  /** A symbol without which a kernel that has the functions never calls them for this. */
  readonly needs?: string;
  /** A C expression that tells these calls of the functions from others. */
  readonly condition?: string;
}

export const CRASH_KINDS: readonly CrashKind[] = [
  {
    filter: 'linux-panic',
    label: 'Linux: panic',
    description: 'The kernel gives up. Its message says why.',
    default: true,
    functions: ['panic'],
  },
  {
    filter: 'linux-oops',
    label: 'Linux: oops and BUG',
    description: 'The kernel has made a mistake: a NULL pointer, a general protection fault, a failed BUG_ON.',
    default: true,
    // Every oops comes by __die, but for general protection faults, which have inlined it.
    functions: ['__die', 'die_addr'],
  },
  {
    filter: 'linux-lockup',
    label: 'Linux: soft lockup',
    description: 'The watchdog has found a CPU that no other task gets to run on.',
    default: false,
    // The watchdog itself is one function, which runs all the time; this is what it calls when it has barked.
    functions: ['add_taint'],
    condition: '$edi == 14',
  },
  {
    filter: 'linux-rcu-stall',
    label: 'Linux: RCU stall',
    description: 'A CPU or a task holds up an RCU grace period, often by running on in the kernel.',
    default: false,
    // What prints a stall is inlined in the handler of every tick; this is called once by each when it has said what stalls.
    functions: ['rcu_check_gp_kthread_starvation'],
  },
  {
    filter: 'linux-hung-task',
    label: 'Linux: hung task',
    description: 'A task has waited too long without being interruptible, as for a lock or a device.',
    default: false,
    // The thread that looks for hung tasks shows those that it has found, and no others.
    functions: ['sched_show_task'],
    needs: 'sysctl_hung_task_timeout_secs',
    condition: '$task == "khungtaskd"',
  },
  {
    filter: 'linux-warn',
    label: 'Linux: WARN',
    description: 'The kernel warns of what should not have happened, and goes on.',
    default: false,
    functions: ['__warn'],
  },
];

/** What the kernel says of a crash, at the first instruction of one of its functions. */
export interface Crash {
  readonly message: string;
  /** Guest-virtual address of the `struct pt_regs` of where it happened. */
  readonly registers?: bigint;
  /** Guest-virtual address of the `task_struct` of the task that it is about, where that is not the one that runs. */
  readonly task?: bigint;
}

const CUT = '------------[ cut here ]------------';

/** Throws `LinuxError` where guest memory does not tell. @param registers by GDB's names */
export function readCrash(kernel: Kernel, filter: string, registers: ReadonlyMap<string, bigint>): Promise<Crash> {
  switch (filter) {
    case 'linux-panic':
      return panic(kernel, registers);
    case 'linux-oops':
      return oops(kernel, registers);
    case 'linux-warn':
      return warning(kernel, registers);
    case 'linux-rcu-stall':
      return stall(kernel);
    case 'linux-hung-task':
      return hungTask(kernel, registers);
    default:
      return lockup(kernel);
  }
}

/** `panic(const char *fmt, ...)` */
async function panic(kernel: Kernel, registers: ReadonlyMap<string, bigint>): Promise<Crash> {
  const format = await textAt(kernel, registers.get('rdi') ?? 0n);
  const words = await formatted(kernel, format, argumentsAtEntry(kernel, registers, 1));
  return { message: `Kernel panic - not syncing: ${words.trim()}` };
}

/** `__die(const char *str, struct pt_regs *regs, long err)` */
async function oops(kernel: Kernel, registers: ReadonlyMap<string, bigint>): Promise<Crash> {
  const address = registers.get('rsi') ?? 0n;
  const what = await textAt(kernel, registers.get('rdi') ?? 0n);
  const code = (registers.get('rdx') ?? 0n).toString(16).padStart(4, '0');
  const where = kernel.nameOf(await kernel.object('pt_regs', address).integer('ip'));
  const said = await lastSaid(kernel, /^(BUG: |kernel BUG at )/);
  return { message: `${said === undefined ? '' : `${said}: `}${what}: ${code} at ${where}`, registers: address };
}

/** `__warn(const char *file, int line, void *caller, unsigned taint, struct pt_regs *regs, struct warn_args *args)` */
async function warning(kernel: Kernel, registers: ReadonlyMap<string, bigint>): Promise<Crash> {
  const value = (name: string) => registers.get(name) ?? 0n;
  const file = value('rdi') === 0n ? '' : `${await textAt(kernel, value('rdi'))}:${value('rsi') & 0xffff_ffffn} `;
  const words = value('r9') === 0n ? await warned(kernel) : await argued(kernel, value('r9'));
  const message = `WARNING: at ${file}${kernel.nameOf(value('rdx'))}${words === '' ? '' : `: ${words.trim()}`}`;
  return { message, ...(value('r8') === 0n ? {} : { registers: value('r8') }) };
}

/** `struct warn_args { const char *fmt; va_list args; }` */
async function argued(kernel: Kernel, address: bigint): Promise<string> {
  const format = await textAt(kernel, await kernel.word(address));
  return formatted(kernel, format, await argumentsOf(kernel, address + 8n));
}

/** What a warning has printed before it trapped. */
async function warned(kernel: Kernel): Promise<string> {
  const lines = await recentLog(kernel);
  const cut = lines.lastIndexOf(CUT);
  return cut < 0 ? '' : lines.slice(cut + 1).join(' ');
}

async function lockup(kernel: Kernel): Promise<Crash> {
  const said = await lastSaid(kernel, /soft lockup/, RECENT_TRACE);
  return { message: said ?? 'The watchdog has found a soft lockup.' };
}

async function stall(kernel: Kernel): Promise<Crash> {
  return { message: (await saidOfStall(kernel)) ?? 'An RCU grace period is held up.' };
}

/** `sched_show_task(struct task_struct *p)` */
async function hungTask(kernel: Kernel, registers: ReadonlyMap<string, bigint>): Promise<Crash> {
  const said = await lastSaid(kernel, /^INFO: task .* blocked /);
  return { message: said ?? 'A task is blocked.', task: registers.get('rdi') ?? 0n };
}
