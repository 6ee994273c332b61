/**
 * Page-table isolation as Linux does it, Documentation/arch/x86/pti.rst: each address space has two root tables, of which
 * that for user code maps next to nothing of the kernel. They share an aligned block of two pages, the kernel's first.
 */
import { type PagingState, pagingMode, rootTable } from './paging-mode.ts';
import { entryAt, type Reads } from './reads.ts';

/** Where the root table for user code is in the block. */
const USER = 0x1000n;
const ENTRY_BYTES = 8;
/** User addresses are those of the lower half of a root table. */
const USER_ENTRIES = 256;
const PRESENT = 1n;
/** The kernel keeps itself from running what users have. */
const NX = 1n << 63n;

/**
 * `state` with the kernel's root table, where it has that for user code; else undefined. Nothing but the tables tells: both
 * map the same for users.
 */
export function* kernelTables(state: PagingState): Reads<PagingState | undefined> {
  const mode = pagingMode(state);
  const root = rootTable(state);
  if ((mode !== '4-level' && mode !== '5-level') || (root & USER) === 0n) return undefined;
  const length = USER_ENTRIES * ENTRY_BYTES;
  const theirs = yield { address: root, length };
  const ours = yield { address: root - USER, length };
  let present = false;
  for (let index = 0; index < USER_ENTRIES; index++) {
    const [user, kernel] = [entryAt(theirs, index, ENTRY_BYTES), entryAt(ours, index, ENTRY_BYTES)];
    if (user === undefined || kernel === undefined || (user | NX) !== (kernel | NX)) return undefined;
    present ||= (user & PRESENT) !== 0n;
  }
  return present ? { ...state, cr3: root - USER } : undefined;
}
