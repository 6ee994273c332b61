/** Columns of the tables of the Memory Map page. */
import type { MemoryMapPart } from '../../debug-adapter/protocol/custom.ts';
import { address, byte } from './format.ts';
import { kindNames, type Placed, sizeText } from './memory-regions.ts';
import type { Column } from './table.ts';

export const regionColumns: readonly Column<Placed>[] = [
  {
    key: 'start',
    title: 'Start',
    width: '8em',
    text: ({ region }) => address(region.start),
    order: ({ start }) => start,
  },
  {
    key: 'last',
    title: 'Last',
    width: '8em',
    rank: 3,
    text: ({ end }) => address(`0x${(end - 1n).toString(16)}`),
    order: ({ end }) => end,
  },
  {
    key: 'size',
    title: 'Size',
    width: '6em',
    rank: 1,
    numeric: true,
    text: sizeText,
    order: ({ start, end }) => end - start,
  },
  { key: 'kind', title: 'Kind', width: '10em', rank: 2, text: ({ region }) => kindNames[region.kind] },
  {
    key: 'name',
    title: 'Name',
    width: 'minmax(8em, 1fr)',
    text: ({ region }) => [region.name, region.detail].filter(Boolean).join(', '),
  },
];

type Ports = MemoryMapPart['ports'][number];

export const portColumns: readonly Column<Ports>[] = [
  { key: 'first', title: 'First', width: '6em', text: ({ first }) => byte(first), order: ({ first }) => first },
  { key: 'last', title: 'Last', width: '6em', text: ({ last }) => byte(last), order: ({ last }) => last },
  { key: 'device', title: 'Device', width: 'minmax(8em, 1fr)', text: ({ device }) => device },
];
