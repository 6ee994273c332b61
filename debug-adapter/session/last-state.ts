/** The last that is known of the machine, kept so that views can still show it when the guest is gone. */
import type { MachineSnapshot } from '../protocol/custom.ts';
import { registerGroups } from './state/registers-part.ts';
import type { StopState } from './stop-state.ts';

export class LastState {
  private known: MachineSnapshot = { threadId: 1 };

  clear(): void {
    this.known = { threadId: 1 };
  }

  /** Keeps the registers of a stop; they have been fetched for it anyway. */
  async standsAt(state: StopState): Promise<void> {
    const { thread } = state.stop;
    this.keep({ threadId: thread, registers: await registerGroups(state, thread) });
  }

  /** Keeps the parts of a snapshot that was given to the client. */
  keep(snapshot: MachineSnapshot): void {
    const usable = Object.entries(snapshot).filter(([, part]) => !(typeof part === 'object' && 'error' in part));
    this.known = { ...this.known, ...(Object.fromEntries(usable) as unknown as MachineSnapshot) };
  }

  get snapshot(): MachineSnapshot {
    return this.known;
  }
}
