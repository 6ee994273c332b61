/** `monitor info mem` and `info tlb`: what the page tables of the selected vCPU map, laid out as QEMU lays it out. */
import { PageFlag } from '../../paging/page-flags.ts';
import { pagingMode, tableLevels } from '../../paging/paging-mode.ts';
import { addressOf, pageRanges } from '../../paging/ranges.ts';
import { withReads } from '../../paging/reads.ts';
import { isMapped, type PageRun, type RightsOf, scanPages } from '../../paging/scan.ts';
import type { Client } from '../packet.ts';
import { pagingState } from '../paging-state.ts';
import type { MonitorCommand } from './monitor-command.ts';

const wide = (value: bigint) => BigInt.asUintN(64, value).toString(16).padStart(16, '0');
/** What one command looks at, so that it does not hold everything up. */
const LIMITS = { tables: 4096, runs: 20_000 };
/** QEMU tells ranges apart by these. */
const RIGHTS = PageFlag.user | PageFlag.writable;

const MORE = 'and more: the tables are too many to be listed\n';
/** Lines of `info tlb`, one a page. */
const MOST_PAGES = 20_000;

/** The mapped runs of pages; undefined while paging is off. */
function scan({ vcpu, machine }: Client, rightsOf?: RightsOf) {
  const state = pagingState(vcpu);
  if (pagingMode(state) === 'none') return undefined;
  const read = (gpa: bigint, length: number) => machine.memory.read(gpa, length);
  const { runs, truncated } = withReads(scanPages(state, LIMITS, rightsOf), read);
  return { state, runs: runs.filter(({ flags }) => isMapped(flags)), truncated };
}

export const memoryRanges: MonitorCommand = {
  name: 'info mem',
  help: 'virtual address ranges and their rights',
  run(client) {
    const found = scan(client);
    if (!found) return 'PG disabled\n';
    const lines = pageRanges(found.runs, RIGHTS, false).map(({ start, size, flags }) => {
      const rights = `${flags & PageFlag.user ? 'u' : '-'}r${flags & PageFlag.writable ? 'w' : '-'}`;
      return `${wide(start)}-${wide(start + size)} ${wide(size)} ${rights}\n`;
    });
    return lines.join('') + (found.truncated ? MORE : '');
  },
};

/** In the order that they are printed in, between P and the rights: P is for large pages. */
const LETTERS: readonly (readonly [flag: number, letter: string])[] = [
  [PageFlag.dirty, 'D'],
  [PageFlag.accessed, 'A'],
  [PageFlag.cacheDisable, 'C'],
  [PageFlag.writeThrough, 'T'],
  [PageFlag.user, 'U'],
  [PageFlag.writable, 'W'],
];

function letters({ flags, level }: PageRun): string {
  const letter = (flag: number, name: string) => (flags & flag ? name : '-');
  const first = letter(PageFlag.noExecute, 'X') + letter(PageFlag.global, 'G') + (level > 1 ? 'P' : '-');
  return first + LETTERS.map(([flag, name]) => letter(flag, name)).join('');
}

export const pages: MonitorCommand = {
  name: 'info tlb',
  help: 'virtual pages, their physical ones and the flags of their entries',
  run(client) {
    const found = scan(client, 'leaf');
    if (!found) return 'PG disabled\n';
    const sizes = new Map(tableLevels(found.state).map(({ level, shift }) => [level, 1n << shift]));
    const lines: string[] = [];
    for (const run of found.runs) {
      const size = sizes.get(run.level) ?? 1n;
      const flags = letters(run);
      for (let at = 0n; at < addressOf(run.pages); at += size) {
        if (lines.length === MOST_PAGES) return lines.join('') + MORE;
        lines.push(`${wide(addressOf(run.page) + at)}: ${wide(addressOf(run.frame) + at)} ${flags}\n`);
      }
    }
    return lines.join('') + (found.truncated ? MORE : '');
  },
};
