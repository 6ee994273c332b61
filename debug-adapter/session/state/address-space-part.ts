/** All that the page tables map: ranges, the heat map of accesses, what changed since another stop, and the way back. */
import { heatMap } from '../../../hypervisor-core/paging/heat.ts';
import { pageFlagNames } from '../../../hypervisor-core/paging/page-flags.ts';
import { type PagingState, pagingMode, tableLevels } from '../../../hypervisor-core/paging/paging-mode.ts';
import { addressOf, mappingsOf, pageRanges } from '../../../hypervisor-core/paging/ranges.ts';
import type { PageScan } from '../../../hypervisor-core/paging/scan.ts';
import { diffScans, type PageState } from '../../../hypervisor-core/paging/scan-diff.ts';
import { type Hex, hex, parseHex } from '../../../hypervisor-core/protocol/hex.ts';
import { linuxRegions, regionAt } from '../../linux/address/regions.ts';
import { orNothing } from '../../linux/linux-error.ts';
import type {
  AddressChange,
  AddressMapping,
  AddressRange,
  AddressSpacePart,
  PagesChoice,
} from '../../protocol/custom.ts';
import type { Session } from '../session.ts';
import type { StopState } from '../stop-state.ts';
import { linuxKernel } from './linux-kernel.ts';
import { scan } from './page-scan.ts';
import { regionName } from './region-name.ts';
import { symbolName } from './symbol-name.ts';

/** What a view is told of at most. */
const MOST_RANGES = 20_000;
const MOST_CHANGES = 5_000;
const MOST_CELLS = 4_096;
const MOST_MAPPINGS = 1_000;

export async function addressSpacePart(
  session: Session,
  state: StopState,
  thread: number,
  { cr3, since }: PagesChoice,
): Promise<AddressSpacePart> {
  const paging = await state.paging(thread, cr3 && parseHex(cr3));
  const own = await state.paging(thread);
  const { runs, tables, truncated } = await scan(state, thread, paging);
  const pc = await state.pc(thread);
  const title = `${symbolName(state.symbols, pc) ?? hex(pc)}, vCPU ${thread - 1}`;
  const kept = session.pageScans.add(state, { cr3: paging.cr3, title, runs });
  const earlier = session.pageScans.before(state);
  const base = earlier.findLast((one) => (since === undefined ? one.cr3 === paging.cr3 : one.scan === since));
  const ranges = pageRanges(runs);
  const pageSize = pageSizes(paging);
  const { cellPages, cells } = heatMap(runs, MOST_CELLS);
  const name = await regionNamer(session, state);
  return {
    mode: pagingMode(paging),
    cr3: hex(paging.cr3),
    current: paging.cr3 === own.cr3,
    scan: kept.scan,
    ranges: ranges.slice(0, MOST_RANGES).map(
      ({ start, size, flags, level, physical, accessed, dirty }): AddressRange => ({
        start: hex(start),
        size: hex(size),
        flags: pageFlagNames(flags),
        pageSize: pageSize(level),
        ...(physical === undefined ? {} : { physical: hex(physical) }),
        accessed: hex(accessed),
        dirty: hex(dirty),
        ...name(start, size),
      }),
    ),
    heat: {
      cellSize: bytes(cellPages),
      cells: cells.map(({ page, mapped, accessed, dirty }) => ({
        start: hex(addressOf(page)),
        mapped: bytes(mapped),
        accessed: bytes(accessed),
        dirty: bytes(dirty),
      })),
    },
    tables: tables.length,
    truncated: truncated || ranges.length > MOST_RANGES,
    earlier: earlier.map((one) => ({ scan: one.scan, title: one.title })),
    ...(base ? { diff: { since: base.scan, ...changes(name, base.runs, runs) } } : {}),
  };
}

/** All linear addresses of a physical one. */
export async function addressMappings(
  session: Session,
  state: StopState,
  thread: number,
  physical: bigint,
  cr3?: bigint,
) {
  const paging = await state.paging(thread, cr3);
  const { runs, truncated } = await scan(state, thread, paging);
  const found = mappingsOf(runs, physical);
  const pageSize = pageSizes(paging);
  const name = await regionNamer(session, state);
  return {
    physical: hex(physical),
    mappings: found.slice(0, MOST_MAPPINGS).map(
      ({ address, flags, level }): AddressMapping => ({
        address: hex(address),
        flags: pageFlagNames(flags),
        pageSize: pageSize(level),
        ...name(address, 1n),
      }),
    ),
    truncated: truncated || found.length > MOST_MAPPINGS,
  };
}

function changes(name: RegionNamer, before: PageScan['runs'], after: PageScan['runs']) {
  const found = diffScans(before, after);
  return {
    changes: found.slice(0, MOST_CHANGES).map(({ kind, page, pages, ...sides }): AddressChange => {
      const start = addressOf(page);
      return {
        kind,
        start: hex(start),
        size: bytes(pages),
        ...(sides.before ? { before: side(sides.before) } : {}),
        ...(sides.after ? { after: side(sides.after) } : {}),
        ...name(start, BigInt(pages) << 12n),
      };
    }),
    truncated: found.length > MOST_CHANGES,
  };
}

const side = ({ frame, flags }: PageState) => ({ physical: hex(addressOf(frame)), flags: pageFlagNames(flags) });

const bytes = (pages: number): Hex => hex(BigInt(pages) << 12n);

function pageSizes(paging: PagingState): (level: number) => Hex {
  const sizes = new Map(tableLevels(paging).map(({ level, shift }) => [level, hex(1n << shift)]));
  return (level) => sizes.get(level) ?? '0x1000';
}

type RegionNamer = (start: bigint, size: bigint) => { region?: string };

/** Names ranges by the image, and in a Linux by what it has there. */
async function regionNamer(session: Session, state: StopState): Promise<RegionNamer> {
  const known = (await orNothing(async () => linuxRegions(await linuxKernel(session.guest, state)))) ?? [];
  return (start, size) => {
    const region = regionName(state.symbols, start, size) ?? regionAt(known, start)?.name;
    return region === undefined ? {} : { region };
  };
}
