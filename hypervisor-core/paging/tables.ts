/** Whole tables: the entries of one, for a tree that unfolds, and the map of everything, as ranges. */
import { decodeEntry, type PagingEntry } from './entry.ts';
import { type PagingState, pagingMode, rootTable, type TableLevel, tableLevels } from './paging-mode.ts';
import { entryAt, type Reads } from './reads.ts';
import { effectiveFlags } from './walk.ts';

/** A path that leads to no table; the message says where it ends. */
export class NoSuchTableError extends Error {}

/** The present entries of the table that `path` (indices from the root) leads to; the root table for an empty path. */
export function* listTable(state: PagingState, path: readonly number[]): Reads<PagingEntry[]> {
  const levels = tableLevels(state);
  let table = rootTable(state);
  let address = 0n;
  for (const [depth, index] of path.entries()) {
    const level = levels[depth];
    if (!level || !Number.isInteger(index) || index < 0 || index >= 1 << Number(level.indexBits)) {
      throw new NoSuchTableError(`There is no table at ${path.join('/')} in ${pagingMode(state)} paging.`);
    }
    address |= BigInt(index) << level.shift;
    const at = table + BigInt(index * level.entryBytes);
    const raw = entryAt(yield { address: at, length: level.entryBytes }, 0, level.entryBytes);
    const entry = raw === undefined ? undefined : decodeEntry(state, { level, index, at, address }, raw);
    if (!entry?.present || entry.leaf) {
      throw new NoSuchTableError(`${level.name} ${index} points to no table ${entry?.leaf ? '(it maps a page)' : ''}`);
    }
    table = entry.target;
  }
  const level = levels[path.length];
  return level ? yield* presentEntries(state, level, table, address) : [];
}

function* presentEntries(state: PagingState, level: TableLevel, table: bigint, base: bigint): Reads<PagingEntry[]> {
  const count = 1 << Number(level.indexBits);
  const bytes = yield { address: table, length: count * level.entryBytes };
  const entries: PagingEntry[] = [];
  for (let index = 0; index < count; index++) {
    const raw = entryAt(bytes, index, level.entryBytes);
    if (raw === undefined) break;
    if (!(raw & 1n)) continue;
    const place = {
      level,
      index,
      at: table + BigInt(index * level.entryBytes),
      address: base | (BigInt(index) << level.shift),
    };
    entries.push(decodeEntry(state, place, raw));
  }
  return entries;
}

/** Neighbouring addresses with the same rights. */
export interface MappedRange {
  readonly start: bigint;
  /** Bytes. */
  readonly size: bigint;
  readonly user: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
}

export interface AddressSpace {
  readonly ranges: readonly MappedRange[];
  /** True when the limits were reached and more is mapped than the ranges say. */
  readonly truncated: boolean;
}

/**
 * Everything that is mapped. Tables may be shared or point to themselves, so `limits` bound the work: tables read and
 * ranges made.
 */
export function* addressSpace(
  state: PagingState,
  limits: { readonly tables: number; readonly ranges: number } = { tables: 100_000, ranges: 100_000 },
): Reads<AddressSpace> {
  const levels = tableLevels(state);
  const mode = pagingMode(state);
  const ranges: MappedRange[] = [];
  let tables = 0;
  let truncated = false;

  function* visit(depth: number, table: bigint, base: bigint, above: readonly PagingEntry[]): Reads<void> {
    const level = levels[depth];
    if (!level || truncated) return;
    if (++tables > limits.tables) {
      truncated = true;
      return;
    }
    for (const entry of yield* presentEntries(state, level, table, base)) {
      if (truncated) return;
      if (entry.reserved) continue;
      const steps = [...above, entry];
      if (entry.leaf) add(entry, effectiveFlags(mode, steps));
      else yield* visit(depth + 1, entry.target, base | (BigInt(entry.index) << level.shift), steps);
    }
  }

  function add({ address, size }: PagingEntry, flags: readonly string[]): void {
    const rights = { user: flags.includes('U'), writable: flags.includes('W'), executable: !flags.includes('NX') };
    const last = ranges.at(-1);
    const alike =
      last?.user === rights.user && last.writable === rights.writable && last.executable === rights.executable;
    if (last && alike && last.start + last.size === address) {
      ranges[ranges.length - 1] = { ...last, size: last.size + size };
    } else if (ranges.length < limits.ranges) {
      ranges.push({ start: address, size, ...rights });
    } else {
      truncated = true;
    }
  }

  yield* visit(0, rootTable(state), 0n, []);
  return { ranges, truncated };
}
