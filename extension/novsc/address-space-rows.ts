/** Columns and filters of the tables of the Address Space page. */
import type { AddressChange, AddressMapping, AddressRange, Hex } from '../../debug-adapter/protocol/custom.ts';
import { address, size } from './format.ts';
import type { Column, RowFilter } from './table.ts';

/** The rights that count: `U` for user, `W` for writable, `X` for executable, a dash for each that is not given. */
function rights(flags: readonly string[]): string {
  if (flags.includes('RSVD')) return 'reserved bits';
  if (!flags.includes('P')) return 'not present';
  const letter = (given: boolean, name: string) => (given ? name : '-');
  return [letter(flags.includes('U'), 'U'), letter(flags.includes('W'), 'W'), letter(!flags.includes('NX'), 'X')].join(
    '',
  );
}

/** How the page is cached and kept in the TLB. */
const memoryType = (flags: readonly string[]) =>
  flags.filter((flag) => ['G', 'PAT', 'PCD', 'PWT'].includes(flag)).join(' ');

const last = (start: Hex, bytes: Hex): Hex => `0x${(BigInt(start) + BigInt(bytes) - 1n).toString(16)}`;

/** `75 %`, or nothing for none. */
export function share(part: Hex, whole: Hex): string {
  const [some, all] = [BigInt(part), BigInt(whole)];
  if (some === 0n || all === 0n) return '';
  if (some === all) return '100 %';
  const percent = (some * 100n) / all;
  return percent === 0n ? '< 1 %' : `${percent} %`;
}

interface Placed {
  readonly start: Hex;
  readonly size: Hex;
  readonly region?: string;
}

const place: readonly Column<Placed>[] = [
  {
    key: 'start',
    title: 'Start',
    width: '11.5em',
    text: (row) => address(row.start, 16),
    order: (row) => BigInt(row.start),
  },
  {
    key: 'end',
    title: 'Last',
    width: '11.5em',
    rank: 5,
    text: (row) => address(last(row.start, row.size), 16),
    order: (row) => BigInt(row.start) + BigInt(row.size),
  },
  {
    key: 'size',
    title: 'Size',
    width: '6em',
    rank: 1,
    numeric: true,
    text: (row) => size(BigInt(row.size)),
    order: (row) => BigInt(row.size),
  },
];

const region: Column<Placed> = {
  key: 'region',
  title: 'Region',
  width: 'minmax(6em, 1fr)',
  rank: 4,
  text: (row) => row.region ?? '',
};

const [startColumn, endColumn, sizeColumn] = place as [Column<Placed>, Column<Placed>, Column<Placed>];

/** What counts most comes first: an editor beside the code is narrow. */
export const rangeColumns: readonly Column<AddressRange>[] = [
  startColumn,
  sizeColumn,
  { key: 'rights', title: 'Rights', width: '6.5em', text: ({ flags }) => rights(flags) },
  {
    key: 'pages',
    title: 'Pages',
    width: '4.5em',
    rank: 3,
    numeric: true,
    text: ({ pageSize }) => size(BigInt(pageSize)),
    order: ({ pageSize }) => BigInt(pageSize),
  },
  region,
  { key: 'type', title: 'Type', width: '6em', rank: 7, text: ({ flags }) => memoryType(flags) },
  {
    key: 'physical',
    title: 'Physical',
    width: '8em',
    rank: 6,
    text: ({ physical, flags }) => physical ?? (flags.includes('P') && !flags.includes('RSVD') ? 'in pieces' : ''),
    order: ({ physical }) => (physical === undefined ? -1n : BigInt(physical)),
  },
  { key: 'accessed', title: 'Accessed', width: '5em', rank: 8, numeric: true, ...sharing(({ accessed }) => accessed) },
  { key: 'dirty', title: 'Dirty', width: '4em', rank: 9, numeric: true, ...sharing(({ dirty }) => dirty) },
  endColumn,
];

function sharing(part: (row: AddressRange) => Hex): Pick<Column<AddressRange>, 'text' | 'order'> {
  return {
    text: (row) => share(part(row), row.size),
    order: (row) => Number(BigInt(part(row))) / Number(BigInt(row.size)),
  };
}

const present = ({ flags }: AddressRange) => flags.includes('P') && !flags.includes('RSVD');

export const rangeFilters: readonly RowFilter<AddressRange>[] = [
  {
    key: 'wx',
    title: 'W+X',
    hint: 'Writable and executable',
    test: (row) => present(row) && row.flags.includes('W') && !row.flags.includes('NX'),
  },
  {
    key: 'user-writable',
    title: 'U+W',
    hint: 'Writable by user code',
    test: (row) => present(row) && row.flags.includes('U') && row.flags.includes('W'),
  },
  { key: 'huge', title: 'Huge', hint: 'In pages of more than 4 KiB', test: ({ pageSize }) => BigInt(pageSize) > 4096n },
  {
    key: 'absent',
    title: 'Not present',
    hint: 'Entries that hold something but map nothing: swapped out, guarded, or with reserved bits set',
    test: (row) => !present(row),
  },
];

const kindTitles: Readonly<Record<AddressChange['kind'], string>> = {
  mapped: 'mapped',
  unmapped: 'unmapped',
  moved: 'other memory',
  rights: 'other rights',
  'page size': 'other page size',
  used: 'used',
};

const sideText = (side: AddressChange['before']) => {
  if (!side) return '';
  const traces = side.flags.filter((flag) => flag === 'A' || flag === 'D').join('');
  return `${side.physical} ${rights(side.flags)} ${traces}`.trim();
};

export const changeColumns: readonly Column<AddressChange>[] = [
  { key: 'kind', title: 'Change', width: '8em', text: ({ kind }) => kindTitles[kind] },
  ...place,
  { key: 'before', title: 'Before', width: 'minmax(8em, 1fr)', rank: 3, text: ({ before }) => sideText(before) },
  { key: 'after', title: 'After', width: 'minmax(8em, 1fr)', rank: 2, text: ({ after }) => sideText(after) },
  region,
];

export const changeFilters: readonly RowFilter<AddressChange>[] = [
  {
    key: 'not-used',
    title: 'Mappings only',
    hint: 'Without pages that were only accessed or written',
    test: ({ kind }) => kind !== 'used',
  },
];

export const mappingColumns: readonly Column<AddressMapping>[] = [
  {
    key: 'address',
    title: 'Address',
    width: '12em',
    text: (row) => address(row.address, 16),
    order: (row) => BigInt(row.address),
  },
  { key: 'rights', title: 'Rights', width: '6em', text: ({ flags }) => rights(flags) },
  { key: 'flags', title: 'Flags', width: '10em', rank: 2, text: ({ flags }) => flags.join(' ') },
  { key: 'page', title: 'Page', width: '5em', rank: 1, numeric: true, text: ({ pageSize }) => size(BigInt(pageSize)) },
  { key: 'region', title: 'Region', width: 'minmax(6em, 1fr)', text: (row) => row.region ?? '' },
];
