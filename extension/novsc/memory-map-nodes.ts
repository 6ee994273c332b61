/** Rows of the Memory Map view: guest-physical regions, what lies inside another below it, and the I/O ports. */
import type { MemoryMapPart } from '../../debug-adapter/protocol/custom.ts';
import { byte } from './format.ts';
import { kindNames, type Placed, placeRegions, type Region, rangeText, sizeText } from './memory-regions.ts';
import type { StateNode } from './state-node.ts';

const icons: Readonly<Record<Region['kind'], string>> = {
  ram: 'database',
  rom: 'lock',
  framebuffer: 'device-desktop',
  mmio: 'chip',
  hole: 'dash',
  reserved: 'circle-slash',
  told: 'comment',
  tables: 'type-hierarchy',
  image: 'file-binary',
};

export function memoryMapNodes(part: MemoryMapPart): StateNode[] {
  const tables = placeRegions(part.pageTables);
  return [
    ...placeRegions(part.regions).map(regionNode),
    ...(tables.length === 0
      ? []
      : [
          {
            id: 'map/tables',
            label: 'Page tables',
            description: `${tables.length} ${tables.length === 1 ? 'range' : 'ranges'}`,
            icon: icons.tables,
            children: tables.map(regionNode),
          },
        ]),
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

function regionNode(placed: Placed): StateNode {
  const { id, region, inside } = placed;
  const [range, size] = [rangeText(placed), sizeText(placed)];
  return {
    id: `map/${id}`,
    label: region.name,
    description: [range, size, region.detail].filter(Boolean).join('  '),
    tooltip: [`${kindNames[region.kind]}: ${region.name}`, `${range}, ${size}`, region.detail]
      .filter(Boolean)
      .join('\n'),
    icon: icons[region.kind],
    value: `${region.end} ${region.detail ?? ''}`,
    copy: region.start,
    ...(region.virtual === undefined ? {} : { address: region.virtual, code: true }),
    ...(region.screen && { screen: true }),
    ...(region.kind === 'hole' ? {} : { physical: region.start }),
    ...(inside.length > 0 ? { expanded: true, children: inside.map(regionNode) } : {}),
  };
}
