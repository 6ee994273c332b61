/** A crash of a Linux guest for people: what the kernel says, where it happened, and what it printed before. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../hypervisor-core/protocol/hex.ts';
import { CRASH_KINDS, type Crash, readCrash } from '../linux/crash.ts';
import type { Kernel } from '../linux/kernel.ts';
import { orNothing } from '../linux/linux-error.ts';
import { recentLog } from '../linux/recent-log.ts';
import { sleepingStack } from '../linux/sleeping-stack.ts';
import { currentTask, readTask } from '../linux/tasks.ts';
import type { Frame } from '../symbols/api.ts';
import { backtrace } from '../symbols/unwinder.ts';
import type { Guest } from './guest.ts';
import { taskName } from './named-threads.ts';
import { frameName } from './stacks.ts';
import { linuxKernel } from './state/linux-kernel.ts';
import type { StopState } from './stop-state.ts';

const LOG_RECORDS = 40;
const MOST_FRAMES = 64;
/** Members of `struct pt_regs` by GDB's names, in the order in which the kernel prints them. */
const saved: Readonly<Record<string, string>> = {
  ...{ rip: 'ip', rsp: 'sp', eflags: 'flags', rax: 'ax', rbx: 'bx', rcx: 'cx', rdx: 'dx', rsi: 'si', rdi: 'di' },
  ...{ rbp: 'bp', r8: 'r8', r9: 'r9', r10: 'r10', r11: 'r11', r12: 'r12', r13: 'r13', r14: 'r14', r15: 'r15' },
};

export interface CrashReport {
  readonly label: string;
  readonly message: string;
  /** Task, registers, call trace and the last of the log, a line each. */
  readonly details: string;
}

/** The words for a stop at `filter`'s functions. Where guest memory does not tell more, those of the filter. */
export async function crashMessage(filter: string, guest: Guest, state: StopState): Promise<string> {
  return (await told(filter, guest, state))?.crash.message ?? filterWords(filter);
}

/** What the kernel says; undefined where guest memory does not tell. */
function told(filter: string, guest: Guest, state: StopState) {
  return orNothing(async () => {
    const kernel = await linuxKernel(guest, state);
    return { kernel, crash: await readCrash(kernel, filter, await state.values(state.stop.thread)) };
  });
}

/** As {@link crashMessage}, with all that is known of it. */
export async function crashReport(filter: string, guest: Guest, state: StopState): Promise<CrashReport> {
  const { thread } = state.stop;
  const known = await told(filter, guest, state);
  const details = await orNothing(async () => {
    if (!known) return undefined;
    const { kernel, crash } = known;
    return [
      ...(crash.task === undefined ? await whereItRuns(kernel, crash, state) : await whereItSleeps(kernel, crash.task)),
      'Last lines of the kernel log:',
      ...(await recentLog(kernel, LOG_RECORDS)),
    ].join('\n');
  });
  return {
    label: kindOf(filter).label,
    message: known?.crash.message ?? filterWords(filter),
    details: details ?? (await state.frames(thread)).map(frameName).join('\n'),
  };
}

/** The vCPU that stopped, with its task, and how it got there. */
async function whereItRuns(kernel: Kernel, { registers: address }: Crash, state: StopState): Promise<string[]> {
  const { thread } = state.stop;
  const registers = address === undefined ? undefined : await savedRegisters(kernel, address);
  const task = await currentTask(kernel, thread - 1);
  return [
    `CPU ${thread - 1}${task ? `, ${taskName(task)}` : ''}`,
    ...(registers ? registerLines(kernel, registers, (await state.values(thread)).get('cr2')) : []),
    'Call trace:',
    ...traceLines(kernel, await (registers ? trace(kernel, registers) : state.frames(thread))),
  ];
}

/** @param address of a `task_struct` */
async function whereItSleeps(kernel: Kernel, address: bigint): Promise<string[]> {
  const task = await readTask(kernel.object('task_struct', address));
  return [
    `${taskName(task)}, state ${task.state}`,
    'Call trace:',
    ...traceLines(kernel, await sleepingStack(kernel, address)),
  ];
}

export function crashInfo({ label, message, details }: CrashReport): DebugProtocol.ExceptionInfoResponse['body'] {
  return {
    exceptionId: label,
    description: message,
    breakMode: 'always',
    details: { message, typeName: label, stackTrace: details },
  };
}

const kindOf = (filter: string) => {
  const kind = CRASH_KINDS.find((each) => each.filter === filter);
  return { label: kind?.label ?? filter, description: kind?.description ?? '' };
};

function filterWords(filter: string): string {
  const { label, description } = kindOf(filter);
  return `${label}: ${description}`;
}

async function savedRegisters(kernel: Kernel, address: bigint): Promise<ReadonlyMap<string, bigint>> {
  const object = kernel.object('pt_regs', address);
  const registers = new Map<string, bigint>();
  for (const [name, member] of Object.entries(saved)) registers.set(name, await object.integer(member));
  return registers;
}

function trace(kernel: Kernel, registers: ReadonlyMap<string, bigint>): Promise<readonly Frame[]> {
  const read = (address: bigint, length: number) => kernel.available(address, length);
  return backtrace({ symbols: kernel.symbols, registers, read, limit: MOST_FRAMES });
}

function registerLines(kernel: Kernel, registers: ReadonlyMap<string, bigint>, cr2: bigint | undefined): string[] {
  const [[, rip = 0n] = [], ...others] = registers;
  const all = [...others, ...(cr2 === undefined ? [] : [['cr2', cr2] as const])];
  const words = all.map(([name, value]) => `${name.toUpperCase()}: ${value.toString(16).padStart(16, '0')}`);
  const rows = Array.from({ length: Math.ceil(words.length / 3) }, (_, n) => words.slice(3 * n, 3 * n + 3).join(' '));
  return [`RIP: ${kernel.nameOf(rip)} (${hex(rip)})`, ...rows];
}

function traceLines(kernel: Kernel, frames: readonly Frame[]): readonly string[] {
  return frames.map(({ function: known, address, line }) => {
    const place = line ? ` (${line.file}:${line.line})` : '';
    return ` ${known?.name ?? kernel.nameOf(address)}${place}`;
  });
}
