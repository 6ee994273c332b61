/** Runs of pages merged into ranges of the same rights, and the way back from a physical address. */
import { PageFlag, TRACE_FLAGS } from './page-flags.ts';
import { isMapped, PAGE_SHIFT, type PageRun } from './scan.ts';

/** Neighbouring addresses with the same rights, memory type and page size. */
export interface PageRange {
  readonly start: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** Of {@link PageFlag}, without accessed and dirty. */
  readonly flags: number;
  /** Level of the leaf entries: 1 for pages of 4 KiB. */
  readonly level: number;
  /** Where the range lies, when it lies in one piece. */
  readonly physical: bigint | undefined;
  /** Bytes in pages that have been read or written, and in pages that have been written. */
  readonly accessed: bigint;
  readonly dirty: bigint;
}

/** Linear address of a page number. */
export const addressOf = (page: number): bigint => BigInt(page) << PAGE_SHIFT;

/** `same` says which flags keep ranges apart; all but accessed and dirty when it is not given. */
export function pageRanges(runs: readonly PageRun[], same = ~TRACE_FLAGS, sameLevel = true): PageRange[] {
  const ranges: PageRange[] = [];
  /** The physical page that would go on in one piece; undefined once there was a jump. */
  let next: number | undefined;
  for (const run of runs) {
    const last = ranges.at(-1);
    const flags = run.flags & same;
    const size = BigInt(run.pages) << PAGE_SHIFT;
    const accessed = run.flags & PageFlag.accessed ? size : 0n;
    const dirty = run.flags & PageFlag.dirty ? size : 0n;
    const start = addressOf(run.page);
    const alike = last?.flags === flags && (!sameLevel || last.level === run.level);
    if (alike && last.start + last.size === start) {
      const inOnePiece = next === run.frame && isMapped(run.flags);
      ranges[ranges.length - 1] = {
        ...last,
        size: last.size + size,
        physical: inOnePiece ? last.physical : undefined,
        accessed: last.accessed + accessed,
        dirty: last.dirty + dirty,
      };
      next = inOnePiece ? run.frame + run.pages : undefined;
    } else {
      const physical = isMapped(run.flags) ? addressOf(run.frame) : undefined;
      ranges.push({ start, size, flags, level: run.level, physical, accessed, dirty });
      next = run.frame + run.pages;
    }
  }
  return ranges;
}

/** A linear address that stands for a physical one, by which rights, in a page of which level. */
export interface Mapping {
  readonly address: bigint;
  readonly flags: number;
  readonly level: number;
}

/** All linear addresses of one physical address. */
export function mappingsOf(runs: readonly PageRun[], physical: bigint): Mapping[] {
  const frame = Number(physical >> PAGE_SHIFT);
  const offset = physical & ((1n << PAGE_SHIFT) - 1n);
  return runs
    .filter((run) => isMapped(run.flags) && frame >= run.frame && frame < run.frame + run.pages)
    .map((run) => ({
      address: addressOf(run.page + frame - run.frame) | offset,
      flags: run.flags,
      level: run.level,
    }));
}
