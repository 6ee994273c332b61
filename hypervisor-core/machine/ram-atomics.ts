/**
 * Single bytes of guest RAM that vCPUs use at the same time, or that are changed often: their pages are mapped over shared
 * memory, where an atomic operation of ours and a locked instruction of the guest's see each other.
 */
import { addressOf, mapAnonymousAt, mapSharedAt } from '../kvm/libc.ts';
import { allocateRunPages, RUN_PAGE_STRIDE } from '../kvm/run-page.ts';
import type { RamFile } from './guest-ram.ts';
import { PAGE } from './memory-slots.ts';

const SLOTS = RUN_PAGE_STRIDE / PAGE;

export class RamAtomics {
  readonly #ram: RamFile;
  #bytes: Uint8Array | undefined;
  /** Page of the RAM file in each slot of the mapping, used in turn. */
  readonly #pages: number[] = [];
  #next = 0;

  constructor(ram: RamFile) {
    this.#ram = ram;
  }

  /** Sets or clears bits of the byte at `gpa`; gives the byte as it was, undefined outside of RAM. */
  change(gpa: number, bits: number, on: boolean): number | undefined {
    const offset = this.#ram.place(gpa);
    if (offset === undefined) return undefined;
    return this.#change(offset, (bytes, at) => (on ? Atomics.or(bytes, at, bits) : Atomics.and(bytes, at, ~bits)));
  }

  /** The byte at `gpa`, RAM or ROM; undefined elsewhere. */
  load(gpa: number): number | undefined {
    const offset = this.#ram.offset(gpa);
    return offset === undefined ? undefined : Atomics.load(...this.#mapped(offset));
  }

  /** Replaces the byte at `gpa`, in ROM, too, if it is `expected`; false where it is not, or there is no memory. */
  exchange(gpa: number, expected: number, replacement: number): boolean {
    const offset = this.#ram.offset(gpa);
    if (offset === undefined) return false;
    return this.#change(offset, (bytes, at) => Atomics.compareExchange(bytes, at, expected, replacement)) === expected;
  }

  #change(offset: number, operation: (bytes: Uint8Array, at: number) => number): number {
    const before = operation(...this.#mapped(offset));
    this.#ram.noteWritten(offset, 1);
    return before;
  }

  /** Where the byte at `offset` of the RAM file can be got at. */
  #mapped(offset: number): [Uint8Array, number] {
    this.#bytes ??= new Uint8Array(allocateRunPages(1));
    return [this.#bytes, this.#slotOf(Math.floor(offset / PAGE), this.#bytes) * PAGE + (offset % PAGE)];
  }

  /** Puts ordinary memory back in the place of guest RAM. */
  close(): void {
    if (this.#bytes) mapAnonymousAt('unmapping guest RAM', addressOf(this.#bytes), this.#bytes.length);
    this.#bytes = undefined;
    this.#pages.length = 0;
  }

  #slotOf(page: number, bytes: Uint8Array): number {
    const known = this.#pages.indexOf(page);
    if (known >= 0) return known;
    const slot = this.#next;
    this.#next = (slot + 1) % SLOTS;
    mapSharedAt('mapping a page of guest RAM', addressOf(bytes.subarray(slot * PAGE)), this.#ram.fd, PAGE, page * PAGE);
    this.#pages[slot] = page;
    return slot;
  }
}
