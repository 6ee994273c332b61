/** vCPUs for the Call Stack: of a stopped Linux with the task that each runs. */
import { setImmediate } from 'node:timers/promises';
import { LinuxError } from '../linux/linux-error.ts';
import type { TargetThread } from '../target/target.ts';
import type { Session } from './session.ts';
import { currentTasks, linuxKernel } from './state/linux-kernel.ts';

export async function namedThreads(session: Session): Promise<readonly TargetThread[]> {
  const { guest } = session;
  const threads = await guest.threads();
  const state = session.presentStop;
  if (!state || !(await isIndexed(state.symbols?.indexed))) return threads;
  try {
    const tasks = await currentTasks(await linuxKernel(guest, state), threads);
    return threads.map(({ id, name }) => {
      const task = tasks.get(id);
      return { id, name: task ? `${name}: ${task.comm} (${task.pid})` : name };
    });
  } catch (error) {
    if (error instanceof LinuxError) return threads;
    throw error;
  }
}

/** A client that asks for threads is not kept waiting until a large image is read. */
async function isIndexed(indexed: Promise<void> | undefined): Promise<boolean> {
  const ready = indexed?.then(() => true) ?? false;
  return Promise.race([ready, setImmediate(false)]);
}
