/** Translates one address as the MMU would, keeping every step. Intel SDM vol. 3A 4.2 to 4.7. */
import { decodeEntry, type PagingEntry } from './entry.ts';
import { canonical, type PagingMode, type PagingState, pagingMode, rootTable, tableLevels } from './paging-mode.ts';
import { entryAt, type Reads } from './reads.ts';

export interface PageWalk {
  /** As the processor uses it: cut to 32 bits outside long mode. */
  readonly address: bigint;
  readonly mode: PagingMode;
  /** Entries from the root down, the faulting one included. */
  readonly steps: readonly PagingEntry[];
  readonly result: MappedPage | WalkFault;
}

export interface MappedPage {
  readonly kind: 'mapped';
  /** Guest-physical address that `address` stands for. */
  readonly physical: bigint;
  /** Bytes of the page. */
  readonly size: bigint;
  /** What counts in the end: `W` and `U` when all steps have them, `NX` when any has, and the leaf's other flags. */
  readonly flags: readonly string[];
}

export interface WalkFault {
  readonly kind: 'fault';
  /** One sentence that names the entry and what is wrong with it. */
  readonly reason: string;
}

export function* walk(state: PagingState, linear: bigint): Reads<PageWalk> {
  const mode = pagingMode(state);
  const address = mode === '4-level' || mode === '5-level' ? BigInt.asUintN(64, linear) : BigInt.asUintN(32, linear);
  const steps: PagingEntry[] = [];
  const ended = (result: PageWalk['result']): PageWalk => ({ address, mode, steps, result });
  const fault = (reason: string) => ended({ kind: 'fault', reason });

  if (canonical(state, address) !== address) {
    return fault(`0x${address.toString(16)} is not canonical in ${mode} paging: general protection fault.`);
  }
  let table = rootTable(state);
  for (const level of tableLevels(state)) {
    const index = Number((address >> level.shift) & ((1n << level.indexBits) - 1n));
    const at = table + BigInt(index * level.entryBytes);
    const raw = entryAt(yield { address: at, length: level.entryBytes }, 0, level.entryBytes);
    if (raw === undefined) return fault(`${level.name} ${index} would lie at 0x${at.toString(16)}, outside guest RAM.`);
    const entry = decodeEntry(state, { level, index, at, address: address & -(1n << level.shift) }, raw);
    steps.push(entry);
    if (!entry.present) return fault(`${level.name} ${index} is not present: page fault.`);
    if (entry.reserved) {
      return fault(
        `${level.name} ${index} has reserved bits set (0x${entry.reserved.toString(16)}): page fault with RSVD.`,
      );
    }
    if (entry.leaf) {
      const physical = entry.target | (address & (entry.size - 1n));
      return ended({ kind: 'mapped', physical, size: entry.size, flags: effectiveFlags(mode, steps) });
    }
    table = entry.target;
  }
  return ended({ kind: 'mapped', physical: address, size: 1n << 32n, flags: ['W', 'U'] });
}

/** The physical address, or undefined where the address is not mapped. Rights are not checked. */
export function* translate(state: PagingState, address: bigint): Reads<bigint | undefined> {
  const { result } = yield* walk(state, address);
  return result.kind === 'mapped' ? result.physical : undefined;
}

/** Rights combined over the steps, then the leaf's own flags. PAE's root entries carry no rights. */
function effectiveFlags(mode: PagingMode, steps: readonly PagingEntry[]): string[] {
  const entries = mode === 'pae' ? steps.slice(1) : steps;
  const leaf = steps.at(-1);
  const rights = ['W', 'U'].filter((flag) => entries.every(({ flags }) => flags.includes(flag)));
  const own = leaf?.flags.filter((flag) => !['P', 'W', 'U', 'PS', 'NX'].includes(flag)) ?? [];
  const noExecute = entries.some(({ flags }) => flags.includes('NX'));
  return [...rights, ...own, ...(noExecute ? ['NX'] : [])];
}
