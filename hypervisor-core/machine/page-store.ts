/** Copies of pages of RAM in a memfd of their own, each kept as long as some snapshot has it. Number 0 is the zero page. */
import { readSync, writeSync } from 'node:fs';
import { SlotUses } from '../devices/disk/slot-uses.ts';
import { close, memfd, punchHole } from '../kvm/libc.ts';
import { PAGE } from './memory-slots.ts';

/** Bytes of the file; memory is taken only where pages are. */
const CAPACITY = 2 ** 42;

export class PageStore {
  readonly #fd = memfd('ringside-snapshots', CAPACITY);
  /** How many snapshots have each page. */
  readonly #uses = new SlotUses();

  /** Pages that are kept. */
  get size(): number {
    return this.#uses.size;
  }

  /** Keeps a copy of a page for one snapshot and gives its number; copies made one after the other are mostly neighbours. */
  add(page: Uint8Array): number {
    const number = this.#uses.allocate();
    writeSync(this.#fd, page, 0, PAGE, number * PAGE);
    return number;
  }

  /** One more snapshot has the page. */
  share(number: number): void {
    if (number !== 0) this.#uses.share(number);
  }

  /** One snapshot less has the page. */
  release(number: number): void {
    if (number !== 0 && this.#uses.release(number)) punchHole(this.#fd, number * PAGE, PAGE);
  }

  /** Reads pages with neighbouring numbers into `into`. */
  read(first: number, into: Uint8Array): void {
    if (first === 0) into.fill(0);
    else readSync(this.#fd, into, 0, into.length, first * PAGE);
  }

  close(): void {
    close(this.#fd);
  }
}
