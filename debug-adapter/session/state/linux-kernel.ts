/** The Linux kernel that a stopped guest runs, read as one of its vCPUs sees memory. */
import { Kernel } from '../../linux/kernel.ts';
import { orNothing } from '../../linux/linux-error.ts';
import { currentTask, type Task } from '../../linux/tasks.ts';
import type { TargetThread } from '../../target/target.ts';
import type { Guest } from '../guest.ts';
import type { StopState } from '../stop-state.ts';
import { threadInKernel } from './thread-in-kernel.ts';

/** Throws `LinuxError` for a guest that is none, or whose symbols are not known. */
export async function linuxKernel(guest: Guest, state: StopState): Promise<Kernel> {
  return Kernel.of(state.symbols, state.reader(await threadInKernel(guest, state)));
}

/** What each vCPU runs, by the id of its thread. A vCPU that the kernel has not started is left out. */
export async function currentTasks(
  kernel: Kernel,
  threads: readonly TargetThread[],
): Promise<ReadonlyMap<number, Task>> {
  const found = new Map<number, Task>();
  for (const { id } of threads) {
    const task = await orNothing(() => currentTask(kernel, id - 1));
    if (task) found.set(id, task);
  }
  return found;
}
