/** Where calls to a hypervisor, in the guest or KVM, are to be traced, by who asked for it: breakpoints that never stop. */

import type { CallPlace, Claim } from './breakpoint-list.ts';
import type { Breakpoints } from './breakpoints.ts';

const claims: Readonly<Record<CallPlace, Claim>> = {
  call: { conditions: [], commands: [], records: 'call' },
  return: { conditions: [], commands: [], records: 'return' },
  instruction: { conditions: [], commands: [], records: 'instruction' },
};

/** A function that takes calls is called from an entry for each of SYSCALL and INT. */
export const MOST_RETURNS = 8;

export class RecordedCalls {
  readonly #breakpoints: Breakpoints;
  readonly #what: 'call' | 'instruction';
  readonly #byOwner = new Map<object, readonly bigint[]>();
  #returns: readonly bigint[] = [];

  /** `what` is at the places: functions that take calls, or instructions that make them. */
  constructor(breakpoints: Breakpoints, what: 'call' | 'instruction') {
    this.#breakpoints = breakpoints;
    this.#what = what;
  }

  get any(): boolean {
    return this.#byOwner.size > 0;
  }

  of(owner: object): readonly bigint[] {
    return this.#byOwner.get(owner) ?? [];
  }

  /** Replaces what `owner` asked for. Throws `BreakpointError` where there are no such breakpoints. */
  set(owner: object, places: readonly bigint[]): void {
    for (const place of places) this.#put(this.#what, place);
    for (const place of this.of(owner)) this.#take(this.#what, place);
    if (places.length > 0) this.#byOwner.set(owner, places);
    else this.#byOwner.delete(owner);
    if (this.any) return;
    for (const place of this.#returns) this.#take('return', place);
    this.#returns = [];
  }

  /** A call was seen that returns to `place`. */
  returnsTo(place: bigint): void {
    if (!this.any || this.#returns.includes(place) || this.#returns.length >= MOST_RETURNS) return;
    this.#put('return', place);
    this.#returns = [...this.#returns, place];
  }

  #put(what: CallPlace, place: bigint): void {
    this.#breakpoints.insert('software', place, 1, claims[what]);
  }

  #take(what: CallPlace, place: bigint): void {
    this.#breakpoints.remove('software', place, 1, claims[what]);
  }
}
