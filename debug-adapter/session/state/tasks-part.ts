/** The Tasks view: what a Linux guest runs, and the call stacks of its tasks. */
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import { sleepingStack } from '../../linux/sleeping-stack.ts';
import { readTasks } from '../../linux/tasks.ts';
import type { TaskFrame, TasksPart } from '../../protocol/custom.ts';
import type { Guest } from '../guest.ts';
import { frameName } from '../stacks.ts';
import type { StopState } from '../stop-state.ts';
import { currentTasks, linuxKernel } from './linux-kernel.ts';

export async function tasksPart(guest: Guest, state: StopState): Promise<TasksPart> {
  const threads = await guest.threads();
  const kernel = await linuxKernel(guest, state);
  const current = await currentTasks(kernel, threads);
  const running = new Map([...current].map(([thread, { address }]) => [address, thread]));
  const { items, problem } = await readTasks(kernel, threads.length);
  const tasks = items.map(({ address, stack, ...task }) => {
    const threadId = running.get(address);
    return { ...task, address: hex(address), stack: hex(stack), ...(threadId === undefined ? {} : { threadId }) };
  });
  return { tasks, ...(problem === undefined ? {} : { problem }) };
}

/** Innermost frame first. @param address of the task's `task_struct` */
export async function taskStack(guest: Guest, state: StopState, address: bigint): Promise<readonly TaskFrame[]> {
  const kernel = await linuxKernel(guest, state);
  const current = await currentTasks(kernel, await guest.threads());
  const running = [...current].find(([, task]) => task.address === address)?.[0];
  const frames = await (running === undefined ? sleepingStack(kernel, address) : state.frames(running));
  return frames.map((frame) => ({
    address: hex(frame.address),
    name: frameName(frame),
    ...(frame.line ? { file: frame.line.file, line: frame.line.line } : {}),
  }));
}
