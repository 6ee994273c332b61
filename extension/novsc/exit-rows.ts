/** The columns of the Exits view, the details of an exit, and how to stop on the next like it. */
import type { ExitCount, ExitReason, ExitRecord } from '../../debug-adapter/protocol/custom.ts';
import type { ExitRow } from './exit-counts.ts';
import { count, duration, rate, time } from './format.ts';
import type { LogDetails } from './log-messages.ts';
import type { Run } from './log-model.ts';
import type { Column } from './table.ts';

/** An exit with the name of the place in the code. */
export interface Exit extends ExitRecord {
  readonly symbol?: string;
}

const words: Readonly<Record<ExitReason, string>> = {
  'port-in': 'port read',
  'port-out': 'port write',
  'mmio-read': 'memory read',
  'mmio-write': 'memory write',
  'msr-read': 'MSR read',
  'msr-write': 'MSR write',
  hypercall: 'hypercall',
  halt: 'halt',
  debug: 'debugger',
  shutdown: 'triple fault',
  'system-event': 'power-off or reset',
  'internal-error': 'KVM internal error',
  'entry-failure': 'entry refused',
  kick: 'signal',
  other: 'other',
};

const reasonText = (reason: ExitReason | undefined) => (reason ? words[reason] : 'the rest, together');

/** `COM1 LCR`, or nothing where no device is. */
const deviceText = ({ device, register }: Pick<ExitCount, 'device' | 'register'>) =>
  [device, register].filter((part) => part !== undefined).join(' ');

const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;

const reason: Column<ExitRow> = {
  key: 'reason',
  title: 'Reason',
  width: 'minmax(9em, 2fr)',
  text: (row) => reasonText(row.reason),
};

const numbers: readonly Column<ExitRow>[] = [
  {
    key: 'count',
    title: 'Exits',
    width: '5.5em',
    numeric: true,
    text: (row) => count(row.count),
    order: (row) => row.count,
  },
  {
    key: 'rate',
    title: 'A second',
    width: '5em',
    rank: 4,
    numeric: true,
    text: (row) => rate(row.rate),
    order: (row) => row.rate,
  },
  {
    key: 'share',
    title: 'Share',
    width: '4.5em',
    rank: 2,
    numeric: true,
    text: (row) => percent(row.share),
    order: (row) => row.share,
  },
  {
    key: 'mean',
    title: 'Each',
    width: '5em',
    rank: 5,
    numeric: true,
    text: (row) => duration(row.time / row.count),
    order: (row) => row.time / row.count,
  },
];

const address = (title: string): Column<ExitRow> => ({
  key: 'address',
  title,
  width: 'minmax(6em, 2fr)',
  text: (row) => row.address ?? '',
  order: (row) => BigInt(row.address ?? 0),
});

/** The reason where it is not what is counted. */
const reasonToo: Column<ExitRow> = { ...reason, width: 'minmax(7em, 2fr)', rank: 3 };

/** Columns by what is counted. */
export const exitColumns: Readonly<Record<ExitCount['kind'], readonly Column<ExitRow>[]>> = {
  reason: [reason, ...numbers],
  place: [
    reasonToo,
    address('Address'),
    { key: 'device', title: 'Device', width: 'minmax(5em, 2fr)', text: deviceText },
    ...numbers,
  ],
  rip: [
    { key: 'where', title: 'From', width: 'minmax(8em, 3fr)', text: (row) => row.symbol ?? row.address ?? '' },
    reasonToo,
    ...numbers,
  ],
};

export function countFacts(row: ExitRow): LogDetails['facts'] {
  return [
    ['exits', `${reasonText(row.reason)}, ${count(row.count)} times`],
    ...(row.address === undefined ? [] : [[row.kind === 'rip' ? 'from' : 'address', placeText(row)] as const]),
    ['took', `${duration(row.time)} in all, ${duration(row.time / row.count)} each, ${percent(row.share)} of the time`],
  ];
}

const placeText = ({ address, symbol, ...device }: ExitRow) =>
  [symbol ? `${symbol} (${address})` : address, deviceText(device)].filter(Boolean).join(' ');

export const traceColumns: readonly Column<Run<Exit>>[] = [
  {
    key: 'time',
    title: 'Time',
    width: '5.6em',
    rank: 3,
    numeric: true,
    text: ({ item }) => time(item.time),
    order: (run) => run.item.time,
  },
  {
    key: 'vcpu',
    title: 'CPU',
    width: '2.2em',
    rank: 7,
    numeric: true,
    text: ({ item }) => `${item.vcpu}`,
    order: ({ item }) => item.vcpu,
  },
  { key: 'reason', title: 'Reason', width: 'minmax(7em, 1fr)', text: ({ item }) => reasonText(item.reason) },
  {
    key: 'address',
    title: 'Address',
    width: 'minmax(5.5em, 1fr)',
    text: ({ item }) => item.address ?? '',
    order: ({ item }) => BigInt(item.address ?? 0),
  },
  { key: 'device', title: 'Device', width: 'minmax(5em, 1fr)', rank: 2, text: ({ item }) => deviceText(item) },
  {
    key: 'value',
    title: 'Value',
    width: 'minmax(4em, 1fr)',
    rank: 1,
    numeric: true,
    text: ({ item }) => item.value ?? '',
    order: ({ item }) => BigInt(item.value ?? 0),
  },
  {
    key: 'times',
    title: '×',
    width: '2em',
    rank: 4,
    numeric: true,
    text: (run) => (run.count > 1 ? count(run.count) : ''),
    order: (run) => run.count,
  },
  {
    key: 'took',
    title: 'Took',
    width: '4.4em',
    rank: 6,
    numeric: true,
    text: ({ item }) => duration(item.duration),
    order: ({ item }) => item.duration,
  },
  { key: 'where', title: 'From', width: 'minmax(6em, 2fr)', rank: 5, text: ({ item }) => item.symbol ?? item.rip },
];

/** Two exits that differ in time and duration alone. */
export function exitRepeats(before: Exit, exit: Exit): boolean {
  const { sequence: _, time: __, duration: ___, ...said } = before;
  return Object.entries(said).every(([name, value]) => exit[name as keyof Exit] === value);
}

export function exitFacts({ item, last, count: times }: Run<Exit>): LogDetails['facts'] {
  const bytes = item.size === 1 ? '1 byte' : `${item.size} bytes`;
  const many = (item.count ?? 1) > 1 ? `${count(item.count ?? 1)} times ` : '';
  return [
    ['reason', reasonText(item.reason)],
    ...(item.address === undefined
      ? []
      : ([
          ['address', [item.address, deviceText(item)].filter(Boolean).join(' ')],
          ['value', `${item.value}, ${many}${bytes}`],
        ] as const)),
    ['from', item.symbol ? `${item.symbol} (${item.rip})` : item.rip],
    ['time', `${time(item.time)} s${times > 1 ? ` to ${time(last.time)} s` : ''}, took ${duration(item.duration)}`],
    ['vCPU', `${item.vcpu}`],
  ];
}

const accesses: Readonly<Partial<Record<ExitReason, readonly [kind: string, access: string, exit: string]>>> = {
  'port-in': ['port', 'read', 'io'],
  'port-out': ['port', 'write', 'io'],
  'mmio-read': ['mmio', 'read', 'mmio'],
  'mmio-write': ['mmio', 'write', 'mmio'],
  'msr-read': ['msr', 'read', 'rdmsr'],
  'msr-write': ['msr', 'write', 'wrmsr'],
};

/** What to ask for to be stopped at the next exit like this one; undefined when that cannot be had. */
export function stopLine(exit: Pick<ExitCount, 'reason' | 'address'> & { readonly kind?: string }): string | undefined {
  if (exit.reason === 'hypercall') return 'hypercall';
  const access = exit.reason && accesses[exit.reason];
  if (!access || exit.kind === 'rip') return undefined;
  return exit.address === undefined ? `exit ${access[2]}` : `${access[0]} ${exit.address} ${access[1]}`;
}
