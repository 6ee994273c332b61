/** The columns of the vCPUs view, and the details of a vCPU. */
import type { VcpuClock } from '../../debug-adapter/protocol/custom.ts';
import { count, duration, rate } from './format.ts';
import type { Column } from './table.ts';
import type { VcpuRow } from './vcpu-loads.ts';

const vcpuName = ({ thread }: Pick<VcpuRow, 'thread'>) => `vCPU ${thread - 1}`;

const part = (key: keyof VcpuClock, title: string, rank: number): Column<VcpuRow> => ({
  key,
  title,
  width: '3.8em',
  rank,
  numeric: true,
  text: ({ load }) => (load ? `${(load[key] * 100).toFixed(0)} %` : ''),
  order: ({ load }) => load?.[key] ?? -1,
});

/** Nobody has a task but vCPUs of Linux guests. */
export const vcpuColumnsFor = (rows: readonly VcpuRow[]): readonly Column<VcpuRow>[] =>
  rows.some(({ task }) => task !== undefined) ? vcpuColumns : vcpuColumns.filter(({ key }) => key !== 'task');

export const vcpuColumns: readonly Column<VcpuRow>[] = [
  { key: 'vcpu', title: 'vCPU', width: '3.8em', text: vcpuName, order: ({ thread }) => thread },
  { key: 'activity', title: 'State', width: 'minmax(5em, 1fr)', text: ({ activity }) => activity },
  { key: 'where', title: 'At', width: 'minmax(6em, 2fr)', rank: 1, text: ({ symbol, rip }) => symbol ?? rip ?? '' },
  { key: 'task', title: 'Task', width: 'minmax(5em, 1fr)', rank: 4, text: ({ task }) => task ?? '' },
  part('guest', 'Guest', 2),
  part('host', 'Host', 6),
  part('halted', 'Halted', 3),
  part('steal', 'Steal', 7),
  {
    key: 'rate',
    title: 'Exits/s',
    width: '4em',
    rank: 5,
    numeric: true,
    text: (row) => (row.rate === undefined ? '' : rate(row.rate)),
    order: (row) => row.rate ?? -1,
  },
];

/** What KVM counts, by the names that are worth a line where they are not zero. */
const TOLD = [
  'exits',
  'io_exits',
  'mmio_exits',
  'halt_exits',
  'irq_exits',
  'irq_injections',
  'nmi_injections',
  'hypercalls',
];

export function vcpuFacts({ activity, clock, exits, hostThread, rip, symbol, task, statistics }: VcpuRow) {
  const facts: (readonly [string, string])[] = [['state', activity]];
  if (rip) facts.push(['at', symbol ? `${symbol} (${rip})` : rip]);
  if (task) facts.push(['task', task]);
  if (clock) {
    facts.push(
      ['in the guest', duration(clock.guest)],
      ['in user space', duration(clock.host)],
      ['halted', duration(clock.halted)],
      ['no processor', duration(clock.steal)],
    );
  }
  if (exits !== undefined) facts.push(['exits to Ringside', count(exits)]);
  if (hostThread) facts.push(['host thread', `${hostThread}`]);
  for (const name of TOLD) {
    const value = statistics?.[name];
    if (value) facts.push([`KVM: ${name}`, count(value)]);
  }
  return facts;
}
