/** `monitor info mtree`: all that is known of guest-physical memory; with `-f` what an access meets, laid out as QEMU's flat views. */
import { parseHex } from '../../protocol/hex.ts';
import type { MemoryMap, MemoryRegion } from '../../protocol/inspect.ts';
import type { MonitorCommand } from './monitor-command.ts';

/** QEMU's words for what answers an access. Other kinds tell of memory that one of these is. */
const KINDS: Partial<Record<MemoryRegion['kind'], string>> = { ram: 'ram', rom: 'rom', mmio: 'i/o' };

export const memoryTree: MonitorCommand = {
  name: 'info mtree',
  parameters: '[-f]',
  help: 'guest-physical memory map, or as flat views',
  run({ machine }, argument) {
    const map = machine.memoryMap();
    if (argument === '-f') return flatViews(map);
    return map.regions
      .map(({ start, end, kind, name }) => `  ${range(parseHex(start), parseHex(end) - 1n)} (${kind}): ${name}\n`)
      .join('');
  },
};

function flatViews({ regions, ports }: MemoryMap): string {
  const memory = regions.flatMap(({ start, end, kind, name }) => {
    const word = KINDS[kind];
    return word ? [`  ${range(parseHex(start), parseHex(end) - 1n)} (prio 0, ${word}): ${name}`] : [];
  });
  const io = ports.map(({ first, last, device }) => `  ${range(BigInt(first), BigInt(last))} (prio 0, i/o): ${device}`);
  return [
    ...['FlatView #0', ' AS "memory", root: system', ' Root memory region: system', ...memory, ''],
    ...['FlatView #1', ' AS "I/O", root: io', ' Root memory region: io', ...io, ''],
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** From the first to the last address. */
function range(first: bigint, last: bigint): string {
  return [first, last].map((address) => address.toString(16).padStart(16, '0')).join('-');
}
