/** The call that a vCPU makes, until it is traced. */
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import type { HypercallRing } from '../trace/hypercall-ring.ts';
import type { GuestClock } from './guest-clock.ts';

export class PendingCall<Call extends { readonly event: HypercallEvent }> {
  readonly #clock: GuestClock;
  readonly #ring: HypercallRing;
  now: Call | undefined;

  constructor({ clock, ring }: { readonly clock: GuestClock; readonly ring: HypercallRing }) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** It has not returned, and will not: traces it as it is. */
  giveUp(): void {
    this.recall();
    if (this.now) this.#ring.add(this.now.event);
    this.now = undefined;
  }

  /** The machine may have gone back to a snapshot from before the call, which was undone then: it is of a time still to come. */
  recall(): void {
    if (this.now && this.now.event.time > this.#clock.now()) this.now = undefined;
  }
}
