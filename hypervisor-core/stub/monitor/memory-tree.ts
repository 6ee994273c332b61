/** `monitor info mtree`: all that is known of guest-physical memory; with `-f` what an access meets, laid out as QEMU's flat views. */
import { parseHex } from '../../protocol/hex.ts';
import type { MemoryMap, MemoryRegion } from '../../protocol/inspect.ts';
import type { MonitorCommand } from './monitor-command.ts';

/** QEMU's words for what answers an access. Other kinds tell of memory that one of these is. */
const KINDS: Partial<Record<MemoryRegion['kind'], string>> = {
  ram: 'ram',
  rom: 'rom',
  framebuffer: 'ram',
  mmio: 'i/o',
};

export const memoryTree: MonitorCommand = {
  name: 'info mtree',
  parameters: '[-f]',
  help: 'guest-physical memory map, or as flat views',
  run({ machine }, argument) {
    const map = machine.memoryMap();
    if (argument === '-f') return flatViews(map);
    return map.regions.map((region) => `  ${range(region)} (${region.kind}): ${nameOf(region)}\n`).join('');
  },
};

function flatViews({ regions, ports }: MemoryMap): string {
  const memory = regions.flatMap((region) => {
    const word = KINDS[region.kind];
    return word ? [`  ${range(region)} (prio 0, ${word}): ${nameOf(region)}`] : [];
  });
  const io = ports.map(
    ({ first, last, device }) => `  ${fromTo(BigInt(first), BigInt(last))} (prio 0, i/o): ${device}`,
  );
  return [
    ...['FlatView #0', ' AS "memory", root: system', ' Root memory region: system', ...memory, ''],
    ...['FlatView #1', ' AS "I/O", root: io', ' Root memory region: io', ...io, ''],
  ]
    .map((line) => `${line}\n`)
    .join('');
}

const range = ({ start, end }: MemoryRegion) => fromTo(parseHex(start), parseHex(end) - 1n);

/** With how pixels lie in it, of what is a screen's. */
const nameOf = ({ name, screen, detail }: MemoryRegion) => (screen ? `${name}, ${detail}` : name);

/** From the first to the last address. */
function fromTo(first: bigint, last: bigint): string {
  return [first, last].map((address) => address.toString(16).padStart(16, '0')).join('-');
}
