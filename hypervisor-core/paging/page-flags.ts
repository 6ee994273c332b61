/** What holds for a mapped page in the end, as bits: rights of all levels combined, the rest of the leaf entry. */

export const PageFlag = {
  /** The first three are at the places that they have in an entry. */
  present: 1 << 0,
  writable: 1 << 1,
  user: 1 << 2,
  noExecute: 1 << 3,
  global: 1 << 4,
  writeThrough: 1 << 5,
  cacheDisable: 1 << 6,
  pat: 1 << 7,
  accessed: 1 << 8,
  dirty: 1 << 9,
  /** Bits are set that must not be: every access faults. */
  reserved: 1 << 10,
} as const;

/** Flags that are no more than a trace of accesses made. */
export const TRACE_FLAGS = PageFlag.accessed | PageFlag.dirty;

/** In the order and with the names of the manual; `NX` last. */
const names: readonly (readonly [number, string])[] = [
  [PageFlag.present, 'P'],
  [PageFlag.writable, 'W'],
  [PageFlag.user, 'U'],
  [PageFlag.writeThrough, 'PWT'],
  [PageFlag.cacheDisable, 'PCD'],
  [PageFlag.accessed, 'A'],
  [PageFlag.dirty, 'D'],
  [PageFlag.pat, 'PAT'],
  [PageFlag.global, 'G'],
  [PageFlag.reserved, 'RSVD'],
  [PageFlag.noExecute, 'NX'],
];

export function pageFlagNames(flags: number): string[] {
  return names.filter(([bit]) => flags & bit).map(([, name]) => name);
}
