/**
 * Reads all tables below one root, fast. Addresses are counted in pages of 4 KiB and so fit into numbers: a linear address
 * has 52 bits of page number, a physical one 40. Intel SDM vol. 3A 4.3 to 4.5.
 */
import { reservedBits } from './entry.ts';
import { PageFlag } from './page-flags.ts';
import { type PagingState, pagingMode, rootTable, type TableLevel, tableLevels } from './paging-mode.ts';
import type { Reads } from './reads.ts';

export const PAGE_SHIFT = 12n;

/** Leaf entries in a row that are alike and whose pages are in a row, too. */
export interface PageRun {
  /** First linear page; canonical addresses of the upper half have their upper bits set. */
  readonly page: number;
  /** First physical page. 0 for entries that are not present. */
  readonly frame: number;
  /** Length, in pages of 4 KiB whatever the size of the mapped pages is. */
  readonly pages: number;
  /** Of {@link PageFlag}. */
  readonly flags: number;
  /** Level of the leaf entries: 1 for pages of 4 KiB. */
  readonly level: number;
}

/** A table that was read. The same one may be reached by several ways and is listed once. */
export interface TablePage {
  readonly frame: number;
  /** Level of its entries. */
  readonly level: number;
}

export interface PageScan {
  /** By address. Entries that are not present are there only when the guest keeps something in them. */
  readonly runs: readonly PageRun[];
  readonly tables: readonly TablePage[];
  /** More is mapped than the limits allow to be read. */
  readonly truncated: boolean;
}

/** Tables may be shared or point to themselves: a table counts each time that it is read. */
export interface ScanLimits {
  readonly tables: number;
  readonly runs: number;
}

/** Whose rights and NX the flags have: those of all levels together, or those that the leaf entry has by itself. */
export type RightsOf = 'all-levels' | 'leaf';

const DEFAULT_LIMITS: ScanLimits = { tables: 100_000, runs: 100_000 };
const RIGHTS = PageFlag.writable | PageFlag.user;
const LINEAR_PAGES = 2 ** 52;
const PER_HIGH_WORD = 2 ** 20;

/** A level with its masks of reserved bits, for entries that are leaves and for those that are not. */
interface Level {
  readonly shape: TableLevel;
  /** Pages of 4 KiB that an entry covers. */
  readonly pages: number;
  readonly reserved: { readonly leaf: Mask; readonly table: Mask };
  /** PAE's root entries have no rights to give. */
  readonly hasRights: boolean;
}

interface Mask {
  readonly low: number;
  readonly high: number;
}

const mask = (bits: bigint): Mask => ({ low: Number(bits & 0xffff_ffffn), high: Number(bits >> 32n) });

export function* scanPages(
  state: PagingState,
  limits = DEFAULT_LIMITS,
  rightsOf: RightsOf = 'all-levels',
): Reads<PageScan> {
  const scanner = new Scanner(state, limits, rightsOf);
  const root = Number(rootTable(state) >> PAGE_SHIFT);
  const offset = Number(rootTable(state) & 0xfffn);
  if (scanner.levels.length > 0) yield* scanner.table(0, root, offset, 0, PageFlag.writable | PageFlag.user);
  return { runs: scanner.done(), tables: [...scanner.tables.values()], truncated: scanner.truncated };
}

class Scanner {
  readonly #runs: PageRun[] = [];
  /** The run that may go on: an object of its own, as hundreds of thousands of entries are added to runs. */
  readonly #last = { page: 0, frame: 0, pages: 0, flags: 0, level: 0 };
  readonly tables = new Map<number, TablePage>();
  truncated = false;
  readonly levels: readonly Level[];
  readonly #limits: ScanLimits;
  readonly #combined: boolean;
  readonly #noExecute: boolean;
  /** Pages from which on an address is of the upper half. */
  readonly #upperHalf: number;
  #read = 0;

  constructor(state: PagingState, limits: ScanLimits, rightsOf: RightsOf) {
    this.#limits = limits;
    this.#combined = rightsOf === 'all-levels';
    const mode = pagingMode(state);
    const shapes = tableLevels(state);
    this.levels = shapes.map((shape, depth) => ({
      shape,
      pages: 2 ** Number(shape.shift - PAGE_SHIFT),
      reserved: { leaf: mask(reservedBits(state, shape, true)), table: mask(reservedBits(state, shape, false)) },
      hasRights: !(mode === 'pae' && depth === 0),
    }));
    this.#noExecute = (state.efer & 0x800n) !== 0n && mode !== '32-bit';
    this.#upperHalf = mode === '4-level' ? 2 ** 35 : mode === '5-level' ? 2 ** 44 : Number.POSITIVE_INFINITY;
  }

  /** `first` is the linear page of entry 0; `above` the rights and NX that the levels above leave. */
  *table(depth: number, frame: number, offset: number, first: number, above: number): Reads<void> {
    const level = this.levels[depth];
    if (!level) return;
    if (++this.#read > this.#limits.tables) {
      this.truncated = true;
      return;
    }
    const { entryBytes, indexBits } = level.shape;
    const length = entryBytes << Number(indexBits);
    const bytes = yield { address: (BigInt(frame) << PAGE_SHIFT) + BigInt(offset), length };
    if (bytes.length < length) return;
    if (!this.tables.has(frame)) this.tables.set(frame, { frame, level: level.shape.level });
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0, page = first; at < length && !this.truncated; at += entryBytes, page += level.pages) {
      const low = view.getUint32(at, true);
      const high = entryBytes === 8 ? view.getUint32(at + 4, true) : 0;
      if (low === 0 && high === 0) continue;
      const rights = this.#rights(level, low, high, above);
      if (this.#ends(level, page, low, high, rights)) continue;
      yield* this.table(depth + 1, frameOf(low, high), 0, page, rights);
    }
  }

  #rights({ hasRights }: Level, low: number, high: number, above: number): number {
    if (!hasRights) return above;
    const noExecute = this.#noExecute && high >>> 31 ? PageFlag.noExecute : 0;
    return (this.#combined ? above & (low | ~RIGHTS) : low & RIGHTS) | noExecute;
  }

  /** Takes note of an entry that leads to no further table; false for one that does. */
  #ends(level: Level, page: number, low: number, high: number, rights: number): boolean {
    const { shape, reserved } = level;
    const leaf = shape.level === 1 || (shape.largePages && (low & 0x80) !== 0);
    const mask = leaf ? reserved.leaf : reserved.table;
    if (!(low & 1)) this.#add(level, page, 0, 0);
    else if ((low & mask.low) !== 0 || (high & mask.high) !== 0) {
      this.#add(level, page, 0, PageFlag.present | PageFlag.reserved | rights);
    } else if (leaf) {
      this.#add(level, page, leafFrame(level, low, high), PageFlag.present | rights | leafFlags(shape, low));
    } else return false;
    return true;
  }

  #add({ pages, shape }: Level, at: number, frame: number, flags: number): void {
    const page = at >= this.#upperHalf ? at + LINEAR_PAGES - 2 * this.#upperHalf : at;
    const last = this.#last;
    const alike = last.flags === flags && last.level === shape.level && last.page + last.pages === page;
    if (alike && (!isMapped(flags) || last.frame + last.pages === frame)) {
      last.pages += pages;
      return;
    }
    if (last.pages > 0) this.#runs.push({ ...last });
    // A run that is not begun is not there.
    last.pages = 0;
    if (this.#runs.length >= this.#limits.runs) {
      this.truncated = true;
      return;
    }
    last.page = page;
    last.frame = frame;
    last.pages = pages;
    last.flags = flags;
    last.level = shape.level;
  }

  /** All runs, when there are no more tables. */
  done(): readonly PageRun[] {
    return this.#last.pages > 0 ? [...this.#runs, { ...this.#last }] : this.#runs;
  }
}

/** True when accesses reach memory, as far as the tables are concerned. */
export function isMapped(flags: number): boolean {
  return (flags & (PageFlag.present | PageFlag.reserved)) === PageFlag.present;
}

const frameOf = (low: number, high: number) => (high & 0xf_ffff) * PER_HIGH_WORD + (low >>> 12);

function leafFrame({ shape, pages }: Level, low: number, high: number): number {
  // PSE-36: a 4 MiB page keeps bits 39 to 32 of its address in bits 20 to 13.
  if (shape.entryBytes === 4 && shape.level === 2) return (low >>> 22) * 1024 + ((low >>> 13) & 0xff) * PER_HIGH_WORD;
  const frame = frameOf(low, high);
  return frame - (frame % pages);
}

function leafFlags(shape: TableLevel, low: number): number {
  const pat = shape.level === 1 ? low & 0x80 : low & 0x1000;
  return (
    (low & 0x008 ? PageFlag.writeThrough : 0) |
    (low & 0x010 ? PageFlag.cacheDisable : 0) |
    (low & 0x020 ? PageFlag.accessed : 0) |
    (low & 0x040 ? PageFlag.dirty : 0) |
    (low & 0x100 ? PageFlag.global : 0) |
    (pat ? PageFlag.pat : 0)
  );
}
