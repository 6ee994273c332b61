/** `monitor info mem`: what the page tables of the selected vCPU map, laid out as QEMU lays it out. */
import { PageFlag } from '../../paging/page-flags.ts';
import { pagingMode } from '../../paging/paging-mode.ts';
import { pageRanges } from '../../paging/ranges.ts';
import { withReads } from '../../paging/reads.ts';
import { isMapped, scanPages } from '../../paging/scan.ts';
import { pagingState } from '../paging-state.ts';
import type { MonitorCommand } from './monitor-command.ts';

const wide = (value: bigint) => BigInt.asUintN(64, value).toString(16).padStart(16, '0');
/** What one command looks at, so that it does not hold everything up. */
const LIMITS = { tables: 4096, runs: 20_000 };
/** QEMU tells ranges apart by these. */
const RIGHTS = PageFlag.user | PageFlag.writable;

export const memoryRanges: MonitorCommand = {
  name: 'info mem',
  help: 'virtual address ranges and their rights',
  run({ vcpu, machine }) {
    const state = pagingState(vcpu);
    if (pagingMode(state) === 'none') return 'PG disabled\n';
    const read = (gpa: bigint, length: number) => machine.memory.read(gpa, length);
    const { runs, truncated } = withReads(scanPages(state, LIMITS), read);
    const mapped = runs.filter(({ flags }) => isMapped(flags));
    const lines = pageRanges(mapped, RIGHTS, false).map(({ start, size, flags }) => {
      const rights = `${flags & PageFlag.user ? 'u' : '-'}r${flags & PageFlag.writable ? 'w' : '-'}`;
      return `${wide(start)}-${wide(start + size)} ${wide(size)} ${rights}\n`;
    });
    return lines.join('') + (truncated ? 'and more: the tables are too many to be listed\n' : '');
  },
};
