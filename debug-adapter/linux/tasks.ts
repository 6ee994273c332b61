/** Tasks: the processes with their threads, and the idle task of each CPU. */

import { type Listed, readList } from './containers/list.ts';
import type { Kernel } from './kernel.ts';
import type { KernelObject } from './kernel-object.ts';

const MOST_TASKS = 16_384;

/** include/linux/sched.h: as `ps` names the states, by the number of the highest bit that is set. */
const stateLetters = 'RSDTtXZPI';
const reported = 0x7fn;
/** TASK_UNINTERRUPTIBLE | TASK_NOLOAD: waits, and counts for no load. */
const idle = 0x402n;
/** Sleeps of another kind that user space is not told of: on a lock of PREEMPT_RT, and frozen. */
const likeUninterruptible = 0x1000n | 0x8000n;

export interface Task {
  /** Of its `task_struct`. */
  readonly address: bigint;
  readonly pid: number;
  /** The process that it is a thread of. */
  readonly tgid: number;
  readonly parent: number;
  readonly comm: string;
  /** As `ps` shows it. */
  readonly state: string;
  /** It runs there, or ran last. */
  readonly cpu: number;
  /** PF_ flags. */
  readonly flags: number;
  /** Lowest address of its kernel stack. */
  readonly stack: bigint;
}

/** All tasks: idle ones first, then processes in the order of their making, each followed by its other threads. */
export async function readTasks(kernel: Kernel, cpus: number): Promise<Listed<Task>> {
  const first = kernel.object('task_struct', kernel.address('init_task'));
  const items: Task[] = [];
  for (const idleTask of await idleTasks(kernel, first, cpus)) items.push(await readTask(idleTask));
  let problem: string | undefined;
  const all = { head: first.addressOf('tasks'), name: 'task_struct', member: 'tasks', limit: MOST_TASKS };
  const processes = await readList(kernel, all, async (leader) => {
    const room = MOST_TASKS - items.length;
    const threads = await readThreads(leader, room);
    items.push(...threads.items);
    problem ??= threads.problem;
  });
  problem ??= processes.problem;
  return problem === undefined ? { items } : { items, problem };
}

/** Those that each CPU runs when there is nothing to do; that of the first is where the list of all begins. */
async function idleTasks(kernel: Kernel, first: KernelObject, cpus: number): Promise<KernelObject[]> {
  const found = [first];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const queue = kernel.object('rq', await kernel.perCpu('runqueues', cpu));
    const task = await queue.object('idle');
    if (task && task.address !== first.address) found.push(task);
  }
  return found;
}

/** A process's threads, itself among them. */
async function readThreads(leader: KernelObject, limit: number): Promise<Listed<Task>> {
  const signal = await leader.object('signal');
  // A process that is being buried has none any more.
  if (!signal) return { items: [await readTask(leader)] };
  const list = { head: signal.addressOf('thread_head'), name: 'task_struct', member: 'thread_node', limit };
  return readList(leader.kernel, list, readTask);
}

export async function readTask(task: KernelObject): Promise<Task> {
  const parent = await task.object('real_parent');
  return {
    address: task.address,
    pid: await task.number('pid'),
    tgid: await task.number('tgid'),
    parent: parent ? await parent.number('tgid') : 0,
    comm: await task.text('comm'),
    state: await stateLetter(task),
    cpu: await task.number(task.either('thread_info.cpu', 'cpu')),
    flags: await task.number('flags'),
    stack: await task.integer('stack'),
  };
}

/** fs/proc/array.c, `get_task_state`. */
async function stateLetter(task: KernelObject): Promise<string> {
  const state = BigInt.asUintN(32, await task.integer(task.either('__state', 'state')));
  if (state === idle) return 'I';
  const exit = BigInt.asUintN(32, await task.integer('exit_state'));
  const bits = (state | exit) & reported;
  if (bits === 0n && state & likeUninterruptible) return 'D';
  return stateLetters[bits.toString(2).replace(/^0+/, '').length] ?? '?';
}

/** The task that a CPU runs. */
export async function currentTask(kernel: Kernel, cpu: number): Promise<Task | undefined> {
  // Since 6.2 it shares a cache line with what else is needed at every entry.
  const pointer = kernel.has('pcpu_hot')
    ? kernel.object('pcpu_hot', await kernel.perCpu('pcpu_hot', cpu)).addressOf('current_task')
    : await kernel.perCpu('current_task', cpu);
  const address = await kernel.word(pointer);
  return address === 0n ? undefined : readTask(kernel.object('task_struct', address));
}
