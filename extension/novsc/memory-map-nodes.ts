/** Rows of the Memory Map view: guest-physical regions, what lies inside another below it, and the I/O ports. */
import type { MemoryMapPart } from '../../debug-adapter/protocol/custom.ts';
import { address, byte, size } from './format.ts';
import type { StateNode } from './state-node.ts';

type Region = MemoryMapPart['regions'][number];
type Kind = Region['kind'];

const icons: Readonly<Record<Kind, string>> = {
  ram: 'database',
  rom: 'lock',
  mmio: 'chip',
  hole: 'dash',
  reserved: 'circle-slash',
  image: 'file-binary',
};

const kindNames: Readonly<Record<Kind, string>> = {
  ram: 'RAM',
  rom: 'ROM',
  mmio: 'device',
  hole: 'hole',
  reserved: 'reserved',
  image: 'loaded image',
};

interface Placed {
  readonly region: Region;
  readonly start: bigint;
  readonly end: bigint;
  readonly inside: Placed[];
}

export function memoryMapNodes(part: MemoryMapPart): StateNode[] {
  const top: Placed[] = [];
  for (const placed of part.regions.map(place).sort(outerFirst)) insert(top, placed);
  return [
    ...top.map(regionNode),
    {
      id: 'map/ports',
      label: 'I/O ports',
      description: `${part.ports.length} ranges`,
      icon: 'plug',
      children: [...part.ports]
        .sort((a, b) => a.first - b.first)
        .map((port) => ({
          id: `map/ports/${port.first}-${port.last}`,
          label: port.device,
          description: port.first === port.last ? byte(port.first) : `${byte(port.first)}–${byte(port.last)}`,
          icon: 'plug',
          copy: byte(port.first),
        })),
    },
  ];
}

const place = (region: Region): Placed => ({
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

function regionNode({ region, start, end, inside }: Placed): StateNode {
  const range = `${address(region.start)}–${address(`0x${(end - 1n).toString(16)}`)}`;
  return {
    id: `map/${region.kind}/${region.start}/${region.name}`,
    label: region.name,
    description: [range, size(end - start), region.detail].filter(Boolean).join('  '),
    tooltip: [`${kindNames[region.kind]}: ${region.name}`, `${range}, ${size(end - start)}`, region.detail]
      .filter(Boolean)
      .join('\n'),
    icon: icons[region.kind],
    value: `${region.end} ${region.detail ?? ''}`,
    copy: region.start,
    ...(region.kind === 'hole' ? {} : { physical: region.start }),
    ...(inside.length > 0 ? { expanded: true, children: inside.map(regionNode) } : {}),
  };
}
