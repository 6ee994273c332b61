/** A set of pages of RAM, by their place in the RAM file: one bit a page. It may lie in shared memory. */
import { PAGE } from './memory-slots.ts';

const WORD = 32;

/** Bytes of a set for RAM of `ramSize` bytes. */
export const pageSetBytes = (ramSize: number): number => Math.ceil(ramSize / PAGE / WORD) * 4;

export class PageSet {
  readonly #words: Int32Array;

  /** Over `memory`, or empty and with memory of its own. */
  constructor(ramSize: number, memory: SharedArrayBuffer | ArrayBuffer = new ArrayBuffer(pageSetBytes(ramSize))) {
    this.#words = new Int32Array(memory, 0, pageSetBytes(ramSize) / 4);
  }

  /** Adds the pages of `length` bytes from `offset` of the RAM file; any thread may. */
  addBytes(offset: number, length: number): void {
    if (length === 0) return;
    const last = Math.floor((offset + length - 1) / PAGE);
    for (let page = Math.floor(offset / PAGE); page <= last; page++) {
      Atomics.or(this.#words, Math.floor(page / WORD), 1 << (page % WORD));
    }
  }

  /** Adds what a bitmap of KVM's says of the pages from `offset` on; `offset` is that of a page. */
  addBitmap(offset: number, bitmap: Uint32Array): void {
    const first = offset / PAGE;
    for (const [index, word] of bitmap.entries()) {
      for (let rest = word; rest !== 0; rest &= rest - 1) {
        const page = first + index * WORD + (31 - Math.clz32(rest & -rest));
        this.addBytes(page * PAGE, 1);
      }
    }
  }

  addAll(other: PageSet): void {
    for (const [index, word] of other.#words.entries()) Atomics.or(this.#words, index, word);
  }

  fill(): void {
    this.#words.fill(-1);
  }

  /** Empties the set and gives what was in it. */
  take(ramSize: number): PageSet {
    const taken = new PageSet(ramSize);
    for (const index of this.#words.keys()) taken.#words[index] = Atomics.exchange(this.#words, index, 0);
    return taken;
  }

  clear(): void {
    this.#words.fill(0);
  }

  /** Pages in ascending order, as runs of neighbours; a run is at most `longest` pages and ends before page `end`. */
  *runs(end: number, longest: number): Generator<{ readonly first: number; readonly count: number }> {
    let first = 0;
    let count = 0;
    for (const [index, word] of this.#words.entries()) {
      if (word === 0 && count === 0) continue;
      for (let bit = 0; bit < WORD; bit++) {
        const page = index * WORD + bit;
        const inside = page < end && ((word >>> bit) & 1) === 1;
        if (inside && count === 0) first = page;
        if (inside) count++;
        if (count > 0 && (!inside || count === longest)) {
          yield { first, count };
          count = 0;
        }
      }
    }
    if (count > 0) yield { first, count };
  }
}
