/** Page tables for a kernel that is entered in long mode: identity map, and the kernel's own virtual addresses. */
import { higher } from './ranges.ts';

const LARGE = 0x20_0000n;
const PAGE = 0x1000n;
const PRESENT_WRITABLE = 0x3n;
const LARGE_PAGE = 0x80n;
const ENTRIES = 512;

/** `size` bytes from `vaddr` on, found at `paddr`. */
export interface Mapping {
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly size: bigint;
}

/**
 * Builds 4-level tables as one block of pages; the first is the PML4. Entries hold offsets into the block until
 * {@link LoaderTables.bytes} is told where it lies.
 */
export class LoaderTables {
  readonly #pages: BigUint64Array[] = [new BigUint64Array(ENTRIES)];
  /** Page number and index of the entries that point to a table of the block. */
  readonly #links: { page: number; index: number; to: number }[] = [];
  readonly #children = new Map<string, number>();

  get size(): bigint {
    return BigInt(this.#pages.length) * PAGE;
  }

  /** Maps [0, end) to itself with 2 MiB pages; `end` is rounded up. */
  identity(end: bigint): void {
    for (let at = 0n; at < end; at += LARGE) this.#largePage(at, at);
  }

  /** Maps pages that segments share or touch; uses 2 MiB pages where nothing else lies in the same 2 MiB. */
  map(mappings: readonly Mapping[]): void {
    const chunks = new Map<bigint, bigint | 'mixed'>();
    const eachChunk = (mapping: Mapping, visit: (chunk: bigint) => void) => {
      for (let at = mapping.vaddr & -LARGE; at < mapping.vaddr + mapping.size; at += LARGE) visit(at);
    };
    for (const mapping of mappings) {
      const distance = mapping.vaddr - mapping.paddr;
      eachChunk(mapping, (chunk) => {
        const whole = distance % LARGE === 0n && (chunks.get(chunk) ?? distance) === distance;
        chunks.set(chunk, whole ? distance : 'mixed');
      });
    }
    for (const mapping of mappings) {
      eachChunk(mapping, (chunk) => {
        const distance = chunks.get(chunk);
        if (typeof distance === 'bigint') this.#largePage(chunk, chunk - distance);
        else this.#smallPages(mapping, chunk);
      });
    }
  }

  #smallPages(mapping: Mapping, chunk: bigint): void {
    const first = mapping.vaddr & -PAGE;
    const end = mapping.vaddr + mapping.size;
    for (let at = higher(first, chunk); at < end && at < chunk + LARGE; at += PAGE) {
      const table = this.#table([39n, 30n, 21n], at);
      this.#set(table, at >> 12n, ((at - mapping.vaddr + mapping.paddr) & -PAGE) | PRESENT_WRITABLE);
    }
  }

  #largePage(vaddr: bigint, paddr: bigint): void {
    this.#set(this.#table([39n, 30n], vaddr), vaddr >> 21n, paddr | PRESENT_WRITABLE | LARGE_PAGE);
  }

  /** Number of the page that holds the table below the entries at these shifts of `vaddr`, made when absent. */
  #table(shifts: readonly bigint[], vaddr: bigint): number {
    let page = 0;
    for (const shift of shifts) {
      const index = Number((vaddr >> shift) & 511n);
      const key = `${page}:${index}`;
      const child = this.#children.get(key) ?? this.#pages.push(new BigUint64Array(ENTRIES)) - 1;
      if (!this.#children.has(key)) {
        this.#children.set(key, child);
        this.#links.push({ page, index, to: child });
      }
      page = child;
    }
    return page;
  }

  #set(page: number, index: bigint, entry: bigint): void {
    const table = this.#pages[page];
    if (table) table[Number(index & 511n)] = entry;
  }

  /** The tables, to be placed at guest-physical address `base`. */
  bytes(base: bigint): Uint8Array {
    for (const { page, index, to } of this.#links) {
      this.#set(page, BigInt(index), (base + BigInt(to) * PAGE) | PRESENT_WRITABLE);
    }
    const bytes = new Uint8Array(Number(this.size));
    this.#pages.forEach((table, number) => {
      bytes.set(new Uint8Array(table.buffer), number * Number(PAGE));
    });
    return bytes;
  }
}
