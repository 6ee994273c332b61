/** vCPUs for the Call Stack: of a stopped Linux with the task that each runs. */
import { setImmediate } from 'node:timers/promises';
import { orNothing } from '../linux/linux-error.ts';
import type { Task } from '../linux/tasks.ts';
import type { TargetThread } from '../target/target.ts';
import type { Session } from './session.ts';
import { currentTasks, linuxKernel } from './state/linux-kernel.ts';

export async function namedThreads(session: Session): Promise<readonly TargetThread[]> {
  const threads = await session.guest.threads();
  const tasks = await tasksByThread(session, threads);
  return threads.map(({ id, name }) => {
    const task = tasks.get(id);
    return { id, name: task ? `${name}: ${taskName(task)}` : name };
  });
}

export const taskName = ({ comm, pid }: Task) => `${comm} (${pid})`;

/** The task that each vCPU runs; nothing for a guest that runs, is no Linux, or whose symbols are still being read. */
export async function tasksByThread(
  session: Session,
  threads: readonly TargetThread[],
): Promise<ReadonlyMap<number, Task>> {
  const { guest, presentStop: state } = session;
  if (!state || !(await isIndexed(state.symbols?.indexed))) return new Map();
  return (await orNothing(async () => currentTasks(await linuxKernel(guest, state), threads))) ?? new Map();
}

/** A client that asks for threads is not kept waiting until a large image is read. */
export async function isIndexed(indexed: Promise<void> | undefined): Promise<boolean> {
  const ready = indexed?.then(() => true) ?? false;
  return Promise.race([ready, setImmediate(false)]);
}
