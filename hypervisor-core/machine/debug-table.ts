/**
 * What workers must know of breakpoints, in shared memory: where `in al,dx` traps are planted, so that they are told
 * from the guest's own port reads, and which bytes of write-protected pages are watched. The main thread changes it
 * only while no vCPU runs.
 */

import { PAGE } from './memory-slots.ts';

const MOST = 1024;
/** Words: number of traps, of watches, mask of debug registers, IDT base, then traps, then start and end of each watch. */
const TRAPS = 4;
const NOT_WATCHED = -1;
const WATCHES = TRAPS + MOST;

/** Bytes of the table. */
export const DEBUG_TABLE_BYTES = (WATCHES + 2 * MOST) * 8;

/** Guest-physical [start, end) whose writes are to stop the guest. */
export interface Watch {
  readonly start: number;
  readonly end: number;
}

export class DebugTable {
  readonly #words: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Float64Array(memory);
  }

  /** Guest-physical addresses of planted port traps. */
  setTraps(addresses: readonly number[]): void {
    if (addresses.length > MOST) throw new RangeError(`more than ${MOST} breakpoints`);
    this.#words[0] = addresses.length;
    this.#words.set(addresses, TRAPS);
  }

  setWatches(watches: readonly Watch[]): void {
    if (watches.length > MOST) throw new RangeError(`more than ${MOST} watchpoints`);
    this.#words[1] = watches.length;
    for (const [position, { start, end }] of watches.entries()) this.#words.set([start, end], WATCHES + 2 * position);
  }

  /** Which of DR0 to DR3 are in use by the debugger, a bit each as in DR6. */
  get hardwareMask(): number {
    return this.#words[2] ?? 0;
  }

  set hardwareMask(mask: number) {
    this.#words[2] = mask;
  }

  /** Has the first vCPU come back when its IDT is no longer at this address; undefined when nobody cares. */
  watchIdt(base: bigint | undefined): void {
    this.#words[3] = base === undefined ? NOT_WATCHED : Number(base);
  }

  /** True when the IDT is to be watched and has moved. */
  idtMoved(base: () => bigint): boolean {
    const watched = this.#words[3] ?? NOT_WATCHED;
    return watched !== NOT_WATCHED && Number(base()) !== watched;
  }

  /** True when a trap is at this offset of some page: worth finding out which page. */
  mayHaveTrap(pageOffset: number): boolean {
    return this.#traps().some((address) => address % PAGE === pageOffset);
  }

  hasTrap(address: number): boolean {
    return this.#traps().includes(address);
  }

  /** True when a write of `length` bytes at `gpa` touches a watched byte. */
  watches(gpa: number, length: number): boolean {
    const count = this.#words[1] ?? 0;
    for (let at = WATCHES; at < WATCHES + 2 * count; at += 2) {
      if (gpa < (this.#words[at + 1] ?? 0) && gpa + length > (this.#words[at] ?? 0)) return true;
    }
    return false;
  }

  #traps(): Float64Array {
    return this.#words.subarray(TRAPS, TRAPS + (this.#words[0] ?? 0));
  }
}
