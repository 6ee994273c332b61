/** The last that is known of the machine, kept so that views can still show it when the guest is gone. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineSnapshot } from '../protocol/custom.ts';
import type { Guest } from './guest.ts';
import { exitsPart } from './state/exits-part.ts';
import { hypercallsPart } from './state/hypercalls-part.ts';
import { memoryMapPart } from './state/memory-map-part.ts';
import { pageTablesPart } from './state/page-tables-part.ts';
import { registerGroups, registersPart } from './state/registers-part.ts';
import { StopState } from './stop-state.ts';

/** Milliseconds after which a core that does not answer is not waited for. */
const PATIENCE = 2_000;

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

  /** Asks a core whose guest has just ended for all that it still shows. */
  async take(guest: Guest): Promise<void> {
    if (!guest.target.inspect) return;
    const { threadId } = this.known;
    const stop = { thread: threadId, reason: { kind: 'pause' } } as const;
    const state = new StopState(guest.target, guest.symbols, stop);
    const late = delay(PATIENCE, undefined, { ref: false });
    const quietly = (part: Promise<Partial<MachineSnapshot>>) =>
      Promise.race([part.then((made) => this.keep({ threadId, ...made })), late]).catch(() => undefined);
    await Promise.all([
      quietly(registersPart(state, threadId).then((registers) => ({ registers }))),
      quietly(pageTablesPart(state, threadId).then((pageTables) => ({ pageTables }))),
      quietly(hypercallsPart(guest).then((hypercalls) => ({ hypercalls }))),
      quietly(memoryMapPart(guest).then((memoryMap) => ({ memoryMap }))),
      quietly(exitsPart(guest).then((exits) => ({ exits }))),
    ]);
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
