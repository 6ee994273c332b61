/** The call stack of a task that no CPU runs: where it was switched away, `struct inactive_task_frame`. */
import type { Frame } from '../symbols/api.ts';
import { backtrace } from '../symbols/unwinder.ts';
import type { Kernel } from './kernel.ts';

const MOST_FRAMES = 64;
/** GDB's names of the registers that the frame holds, by the kernel's. */
const saved = { bx: 'rbx', bp: 'rbp', r12: 'r12', r13: 'r13', r14: 'r14', r15: 'r15', ret_addr: 'rip' };

/** Innermost frame first. Throws `LinuxError` where the stack cannot be read. @param task address of its task_struct */
export async function sleepingStack(kernel: Kernel, task: bigint): Promise<readonly Frame[]> {
  const pointer = await kernel.object('task_struct', task).integer('thread.sp');
  const frame = kernel.object('inactive_task_frame', pointer);
  const registers = new Map([['rsp', pointer + BigInt(frame.type.size)]]);
  for (const [member, name] of Object.entries(saved)) registers.set(name, await frame.integer(member));
  const read = (address: bigint, length: number) => kernel.available(address, length);
  return backtrace({ symbols: kernel.symbols, registers, read, limit: MOST_FRAMES });
}
