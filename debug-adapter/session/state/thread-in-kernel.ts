import type { Guest } from '../guest.ts';
import type { StopState } from '../stop-state.ts';

/**
 * The thread whose page tables map the kernel. With page-table isolation the tables of user code map next to nothing of it:
 * another vCPU may know more.
 */
export async function threadInKernel(guest: Guest, state: StopState): Promise<number> {
  const { thread } = state.stop;
  const others = (await guest.threads()).map(({ id }) => id).filter((id) => id !== thread);
  for (const id of [thread, ...others]) {
    const selector = (await state.values(id)).get('cs') ?? 0n;
    if ((selector & 3n) === 0n) return id;
  }
  return thread;
}
