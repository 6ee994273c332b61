/** The entries of one table, for a tree that unfolds. */
import { decodeEntry, type PagingEntry } from './entry.ts';
import { type PagingState, pagingMode, rootTable, type TableLevel, tableLevels } from './paging-mode.ts';
import { entryAt, type Reads } from './reads.ts';

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
