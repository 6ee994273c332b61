/** Guest-physical regions by what lies inside what, and what is said of each; for the tree, the picture and the table. */
import type { MemoryMapPart } from '../../debug-adapter/protocol/custom.ts';
import { address, size } from './format.ts';

export type Region = MemoryMapPart['regions'][number];

export const kindNames: Readonly<Record<Region['kind'], string>> = {
  ram: 'RAM',
  rom: 'ROM',
  framebuffer: 'framebuffer',
  mmio: 'device',
  hole: 'hole',
  reserved: 'reserved',
  told: 'as the kernel is told',
  tables: 'page tables',
  image: 'loaded image',
};

export interface Placed {
  /** Names the same region at every stop. */
  readonly id: string;
  readonly region: Region;
  readonly start: bigint;
  /** First address after it. */
  readonly end: bigint;
  readonly inside: Placed[];
}

/** Each region inside the smallest one that holds it whole. */
export function placeRegions(regions: readonly Region[]): Placed[] {
  const top: Placed[] = [];
  for (const placed of regions.map(place).sort(outerFirst)) insert(top, placed);
  return top;
}

const place = (region: Region): Placed => ({
  id: `${region.kind}/${region.start}/${region.name}`,
  region,
  start: BigInt(region.start),
  end: BigInt(region.end),
  inside: [],
});

/** By address; of two that start together the larger comes first, so that the smaller can go inside it. */
function outerFirst(a: Placed, b: Placed): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return a.end === b.end ? 0 : a.end > b.end ? -1 : 1;
}

function insert(level: Placed[], placed: Placed): void {
  const last = level.at(-1);
  if (last && placed.start >= last.start && placed.end <= last.end) insert(last.inside, placed);
  else level.push(placed);
}

/** The regions from the outermost to the one with this id; empty when there is none. */
export function pathTo(level: readonly Placed[], id: string | undefined): readonly Placed[] {
  for (const placed of level) {
    if (placed.id === id) return [placed];
    const below = pathTo(placed.inside, id);
    if (below.length > 0) return [placed, ...below];
  }
  return [];
}

/** `0x00100000–0x0fffffff`. */
export const rangeText = ({ region, end }: Placed): string =>
  `${address(region.start)}–${address(`0x${(end - 1n).toString(16)}`)}`;

export const sizeText = ({ start, end }: Pick<Placed, 'start' | 'end'>): string => size(end - start);

/** Where a region lies in a picture of `[from, to)`, in percent. */
export function extentOf({ start, end }: Placed, from: bigint, to: bigint): { left: number; width: number } {
  const percent = (bytes: bigint) => (100 * Number(bytes)) / Number(to - from);
  return { left: percent(start - from), width: percent(end - start) };
}
