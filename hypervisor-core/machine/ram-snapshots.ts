/**
 * Snapshots of RAM. Each is a table from page to copy in a {@link PageStore}; a copy is shared by all snapshots in which the
 * page is the same. KVM and this process note which pages are written, so that taking a snapshot copies only what is new
 * since another one, and going back copies only what differs.
 */
import { setImmediate } from 'node:timers/promises';
import { nextData } from '../kvm/libc.ts';
import type { GuestRam } from './guest-ram.ts';
import { type MemorySlots, PAGE } from './memory-slots.ts';
import { PageSet } from './page-set.ts';
import { PageStore } from './page-store.ts';

/** Pages copied at once, and between two looks at whatever else there is to do. */
const RUN = 256;
const SLICE = 16 * RUN;

export interface RamSnapshot {
  /** Number of each page's copy in the store. */
  readonly pages: Uint32Array;
  /** Pages of RAM that may differ from the snapshot now. */
  readonly differing: PageSet;
}

/** Whole pages with neighbouring numbers. The bytes are valid until the next run is asked for. */
export interface PageRun {
  readonly first: number;
  readonly bytes: Uint8Array;
}

/** Does a piece of work on each run of pages, and lets others go first from time to time. */
async function inSlices<Run extends { readonly count: number }>(runs: Iterable<Run>, body: (run: Run) => void) {
  let done = 0;
  for (const run of runs) {
    body(run);
    done += run.count;
    if (done < SLICE) continue;
    done = 0;
    await setImmediate();
  }
}

export class RamSnapshots {
  readonly #ram: GuestRam;
  readonly #slots: MemorySlots;
  readonly #written: PageSet;
  readonly #all = new Set<RamSnapshot>();
  readonly #buffer = Buffer.alloc(RUN * PAGE);
  #store: PageStore | undefined;

  /** `written`: what {@link GuestRam} notes of this process's own writes. */
  constructor(ram: GuestRam, slots: MemorySlots, written: SharedArrayBuffer) {
    this.#ram = ram;
    this.#slots = slots;
    this.#written = new PageSet(ram.size, written);
  }

  get #pageCount(): number {
    return this.#ram.size / PAGE;
  }

  /** Bytes that all snapshots together take up. */
  get bytes(): number {
    return (this.#store?.size ?? 0) * PAGE;
  }

  /** Nothing may run until it is done. */
  async take(): Promise<RamSnapshot> {
    const store = this.#pages();
    this.#collect();
    // What is the same in the last snapshot need not be looked at.
    const last = [...this.#all].at(-1);
    const pages = last ? Uint32Array.from(last.pages) : new Uint32Array(this.#pageCount);
    const changed = last?.differing ?? this.#inMemory();
    for (const { first, count } of changed.runs(this.#pageCount, RUN)) pages.fill(0, first, first + count);
    for (const number of pages) store.share(number);
    await inSlices(changed.runs(this.#pageCount, RUN), ({ first, count }) => this.#copy(store, pages, first, count));
    const snapshot = { pages, differing: new PageSet(this.#ram.size) };
    this.#all.add(snapshot);
    // From here on it must be known what is written.
    this.#slots.noteWrites(this.#written);
    return snapshot;
  }

  /** Makes RAM what it was. Nothing may run until it is done. */
  async restore({ pages, differing }: RamSnapshot): Promise<void> {
    this.#collect();
    await inSlices(neighbours(differing.runs(this.#pageCount, RUN), pages), ({ first, count }) => {
      const bytes = this.#buffer.subarray(0, count * PAGE);
      this.#pages().read(pages[first] ?? 0, bytes);
      this.#ram.writeFile(first * PAGE, bytes);
    });
    for (const other of this.#all) if (other.differing !== differing) other.differing.addAll(differing);
    differing.clear();
  }

  /** To be called when RAM has been made anew as a whole. */
  forgetContents(): void {
    for (const { differing } of this.#all) differing.fill();
  }

  remove(snapshot: RamSnapshot): void {
    if (!this.#all.delete(snapshot)) return;
    for (const number of snapshot.pages) this.#store?.release(number);
    if (this.#all.size === 0) this.#slots.noteWrites(undefined);
  }

  close(): void {
    this.#store?.close();
  }

  /** Adds a snapshot from elsewhere, by its pages that are not zero. Throws a RangeError for one beyond RAM. */
  async adopt(contents: AsyncIterable<PageRun>): Promise<RamSnapshot> {
    const store = this.#pages();
    const snapshot = { pages: new Uint32Array(this.#pageCount), differing: new PageSet(this.#ram.size) };
    snapshot.differing.fill();
    this.#all.add(snapshot);
    try {
      for await (const { first, bytes } of contents) this.#put(store, snapshot.pages, first, bytes);
    } catch (error) {
      this.remove(snapshot);
      throw error;
    }
    this.#slots.noteWrites(this.#written);
    return snapshot;
  }

  #put(store: PageStore, pages: Uint32Array, first: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PAGE) {
      const page = first + at / PAGE;
      if (page >= pages.length || pages[page] !== 0) throw new RangeError(`page ${page} is not expected`);
      pages[page] = store.add(bytes.subarray(at, at + PAGE));
    }
  }

  /** The pages of a snapshot that are not zero, in runs. */
  *contents({ pages }: RamSnapshot): Generator<PageRun> {
    const set = new PageSet(this.#ram.size);
    for (const [page, number] of pages.entries()) if (number !== 0) set.addBytes(page * PAGE, 1);
    for (const { first, count } of neighbours(set.runs(this.#pageCount, RUN), pages)) {
      const bytes = this.#buffer.subarray(0, count * PAGE);
      this.#pages().read(pages[first] ?? 0, bytes);
      yield { first, bytes };
    }
  }

  /** Made only when the first snapshot is taken. */
  #pages(): PageStore {
    this.#store ??= new PageStore();
    return this.#store;
  }

  /** Tells all snapshots which pages have been written since the last time. */
  #collect(): void {
    this.#slots.collectWritten();
    const written = this.#written.take(this.#ram.size);
    for (const { differing } of this.#all) differing.addAll(written);
  }

  /** Pages that take up memory; all others are zero. */
  #inMemory(): PageSet {
    const set = new PageSet(this.#ram.size);
    const { fd, size } = this.#ram;
    for (let run = nextData(fd, 0, size); run; run = run.end < size ? nextData(fd, run.end, size) : undefined) {
      set.addBytes(run.start, run.end - run.start);
    }
    return set;
  }

  /** Copies pages of RAM into the store, but for those that are zero. */
  #copy(store: PageStore, pages: Uint32Array, first: number, count: number): void {
    const bytes = this.#buffer.subarray(0, count * PAGE);
    this.#ram.readFile(first * PAGE, bytes);
    for (let at = 0; at < count; at++) {
      const page = bytes.subarray(at * PAGE, (at + 1) * PAGE);
      if (!page.equals(zeroes)) pages[first + at] = store.add(page);
    }
  }
}

const zeroes = Buffer.alloc(PAGE);

/** Splits runs of pages so that the copies of each are neighbours, too, or all zero. */
function* neighbours(runs: Iterable<{ readonly first: number; readonly count: number }>, pages: Uint32Array) {
  for (const { first, count } of runs) {
    let from = first;
    for (let page = first + 1; page <= first + count; page++) {
      const before = pages[page - 1] ?? 0;
      const follows = before === 0 ? pages[page] === 0 : pages[page] === before + 1;
      if (page < first + count && follows) continue;
      yield { first: from, count: page - from };
      from = page;
    }
  }
}
