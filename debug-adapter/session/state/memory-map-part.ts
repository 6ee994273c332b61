/** The Memory Map view: guest-physical memory as the core has laid it out, the pages that hold page tables, and the ports. */
import { pagingMode } from '../../../hypervisor-core/paging/paging-mode.ts';
import { addressOf } from '../../../hypervisor-core/paging/ranges.ts';
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import { inspect, type MemoryRegion } from '../../../hypervisor-core/protocol/inspect.ts';
import type { MemoryMapPart } from '../../protocol/custom.ts';
import { onlyOurCore } from '../errors.ts';
import type { Guest } from '../guest.ts';
import type { Session } from '../session.ts';
import { scan } from './page-scan.ts';

interface Vcpu {
  readonly session: Session;
  readonly thread: number;
}

/** Runs of page tables that are told; what is beyond is counted. */
const MOST_RUNS = 1_000;

/** `at`: the vCPU whose page tables are to be shown; they are left out while the guest runs. */
export async function memoryMapPart({ target }: Guest, at?: Vcpu): Promise<MemoryMapPart> {
  if (!target.inspect) throw onlyOurCore('The memory map');
  const map = await target.inspect.sendRequest(inspect.memoryMap);
  if (!at) return { ...map, pageTables: [] };
  // Where the tables cannot be read, the Page Tables view says why.
  const pages = await tablePages(at).catch(() => []);
  return { ...map, pageTables: runs(pages).slice(0, MOST_RUNS) };
}

async function tablePages({ session, thread }: Vcpu): Promise<readonly number[]> {
  const state = session.stopped;
  const paging = await state.paging(thread);
  if (pagingMode(paging) === 'none') return [];
  const { tables } = await scan(state, thread, paging);
  return [...new Set(tables.map(({ frame }) => frame))].sort((a, b) => a - b);
}

/** Neighbouring pages as one region. */
function runs(pages: readonly number[]): MemoryRegion[] {
  const found: { first: number; end: number }[] = [];
  for (const page of pages) {
    const last = found.at(-1);
    if (last?.end === page) last.end++;
    else found.push({ first: page, end: page + 1 });
  }
  return found.map(({ first, end }) => ({
    ...({ start: hex(addressOf(first)), end: hex(addressOf(end)), kind: 'tables', name: 'page tables' } as const),
    ...(end - first > 1 && { detail: `${end - first} tables` }),
  }));
}
