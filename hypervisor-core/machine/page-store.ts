/** Copies of pages of RAM in a memfd of their own, each kept as long as some snapshot has it. Number 0 is the zero page. */
import { readSync, writeSync } from 'node:fs';
import { close, memfd, punchHole } from '../kvm/libc.ts';
import { PAGE } from './memory-slots.ts';

/** Bytes of the file; memory is taken only where pages are. */
const CAPACITY = 2 ** 42;

export class PageStore {
  readonly #fd = memfd('ringside-snapshots', CAPACITY);
  /** How many snapshots have each page. */
  #uses = new Uint32Array(1 << 16);
  #next = 1;
  readonly #free: number[] = [];

  /** Pages that are kept. */
  get size(): number {
    return this.#next - 1 - this.#free.length;
  }

  /** Keeps a copy of a page for one snapshot and gives its number; copies made one after the other are mostly neighbours. */
  add(page: Uint8Array): number {
    const number = this.#allocate();
    writeSync(this.#fd, page, 0, PAGE, number * PAGE);
    return number;
  }

  /** One more snapshot has the page. */
  share(number: number): void {
    if (number !== 0) this.#uses[number] = (this.#uses[number] ?? 0) + 1;
  }

  /** One snapshot less has the page. */
  release(number: number): void {
    if (number === 0) return;
    const uses = (this.#uses[number] ?? 0) - 1;
    this.#uses[number] = uses;
    if (uses > 0) return;
    punchHole(this.#fd, number * PAGE, PAGE);
    this.#free.push(number);
  }

  /** Reads pages with neighbouring numbers into `into`. */
  read(first: number, into: Uint8Array): void {
    if (first === 0) into.fill(0);
    else readSync(this.#fd, into, 0, into.length, first * PAGE);
  }

  close(): void {
    close(this.#fd);
  }

  #allocate(): number {
    const number = this.#free.pop() ?? this.#next++;
    if (number >= this.#uses.length) {
      const larger = new Uint32Array(this.#uses.length * 2);
      larger.set(this.#uses);
      this.#uses = larger;
    }
    this.#uses[number] = 1;
    return number;
  }
}
