/** The Page Tables view: the root table, a table below it, and the walk of one address; all of any root. */
import { type Access, accessFault } from '../../../hypervisor-core/paging/access.ts';
import type { PagingEntry } from '../../../hypervisor-core/paging/entry.ts';
import { kernelTables } from '../../../hypervisor-core/paging/isolated-tables.ts';
import { inUpperHalf, type PagingState, pagingMode, tableLevels } from '../../../hypervisor-core/paging/paging-mode.ts';
import { type Reads, withAsyncReads } from '../../../hypervisor-core/paging/reads.ts';
import { listTable, NoSuchTableError } from '../../../hypervisor-core/paging/tables.ts';
import { type MappedPage, translate, walk } from '../../../hypervisor-core/paging/walk.ts';
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import type { PageTableEntry, PageTableRoot, Walk, WalkAccess } from '../../protocol/custom.ts';
import { badArgument } from '../errors.ts';
import type { StopState } from '../stop-state.ts';
import { symbolName } from './symbol-name.ts';

const RFLAGS_AC = 1n << 18n;

/** `cr3` is another root than the vCPU's own here and below. */
export async function pageTablesPart(state: StopState, thread: number, cr3?: bigint): Promise<PageTableRoot> {
  const paging = await state.paging(thread, cr3);
  const [kernel, root] = await Promise.all([
    withAsyncReads(kernelTables(paging), physicalReader(state)),
    entries(state, paging, []),
  ]);
  return {
    mode: pagingMode(paging),
    cr3: hex(paging.cr3),
    ...(kernel && { kernelCr3: hex(kernel.cr3) }),
    levels: tableLevels(paging).length,
    entries: root,
  };
}

/** Entries of the table at `path`, indices from the root. */
export async function childTable(state: StopState, thread: number, path: readonly number[], cr3?: bigint) {
  return entries(state, await state.paging(thread, cr3), path);
}

export async function walkAddress(state: StopState, thread: number, address: bigint, cr3?: bigint): Promise<Walk> {
  const paging = await state.paging(thread, cr3);
  const read = physicalReader(state);
  const { mode, steps, result, ...walked } = await withAsyncReads(walk(paging, address), read);
  const alignmentCheck = (((await state.values(thread)).get('eflags') ?? 0n) & RFLAGS_AC) !== 0n;
  return {
    address: hex(walked.address),
    mode,
    steps: steps.map((entry) => ({ entry: describe(state, entry), at: hex(entry.at) })),
    result:
      result.kind === 'fault'
        ? { ...result, reason: result.reason + (await withAsyncReads(hidden(paging, address), read)) }
        : {
            kind: 'mapped',
            physical: hex(result.physical),
            size: hex(result.size),
            flags: result.flags,
            accesses: mode === 'none' ? [] : accesses(paging, result, alignmentCheck),
          },
  };
}

/** What to say besides of an address that only the kernel's own tables map. */
function* hidden(paging: PagingState, address: bigint): Reads<string> {
  const kernel = yield* kernelTables(paging);
  if (!kernel || !inUpperHalf(address) || (yield* translate(kernel, address)) === undefined) return '';
  return ` These tables are for user code; those of the kernel, at CR3 ${hex(kernel.cr3)}, map it.`;
}

/** What each kind of access to the page comes to with the control registers as they are. */
function accesses(paging: PagingState, page: MappedPage, alignmentCheck: boolean): WalkAccess[] {
  return [false, true].flatMap((user) =>
    (['read', 'write', 'fetch'] as const).map((kind) => {
      const access: Access = { kind, user, alignmentCheck };
      const fault = accessFault(paging, page, access);
      return { access: `${user ? 'user' : 'supervisor'} ${kind}`, ...(fault === undefined ? {} : { fault }) };
    }),
  );
}

async function entries(state: StopState, paging: PagingState, path: readonly number[]): Promise<PageTableEntry[]> {
  try {
    const found = await withAsyncReads(listTable(paging, path), physicalReader(state));
    return found.map((entry) => describe(state, entry));
  } catch (error) {
    throw error instanceof NoSuchTableError ? badArgument('path', `leads nowhere: ${error.message}`) : error;
  }
}

export const physicalReader = (state: StopState) => (address: bigint, length: number) =>
  state.target.readPhysical(address, length);

function describe(state: StopState, entry: PagingEntry): PageTableEntry {
  const symbol = symbolName(state.symbols, entry.address);
  return {
    index: entry.index,
    level: entry.level,
    name: entry.name,
    raw: hex(entry.raw),
    address: hex(entry.address),
    size: hex(entry.size),
    target: hex(entry.target),
    leaf: entry.leaf,
    flags: entry.flags,
    ...(symbol === undefined ? {} : { symbol }),
  };
}
