/** `info mtree -f` of QEMU's monitor: the flat views of memory and of the I/O ports. */
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import type { MemoryMap, MemoryRegion, PortRegion } from '../../../hypervisor-core/protocol/inspect.ts';

interface Row {
  readonly start: bigint;
  readonly end: bigint;
  readonly kind: string;
  readonly name: string;
}

const KINDS: Readonly<Record<string, MemoryRegion['kind']>> = {
  ram: 'ram',
  rom: 'rom',
  'i/o': 'mmio',
  romd: 'rom',
  ramd: 'mmio',
  'nv-ram': 'ram',
  nv: 'ram',
};
/** What QEMU calls the RAM that its displays are drawn from. It does not tell what is drawn in it, and how. */
const FRAMEBUFFERS: ReadonlySet<string> = new Set(['vga.vram', 'qxl.vgavram', 'bochs-display-vram']);
/** What QEMU keeps to itself where no port is. */
const NO_DEVICE = 'io';

/** Undefined for a text that shows no memory. */
export function parseMemoryMap(text: string): MemoryMap | undefined {
  const views = text.split(/^FlatView #\d+$/m).map((view) => ({
    spaces: [...view.matchAll(/^ AS "([^"]*)"/gm)].map(([, name]) => name),
    rows: rowsOf(view),
  }));
  const memory = views.find(({ spaces }) => spaces.includes('memory')) ?? views.find(({ rows }) => rows.length > 0);
  if (!memory || memory.rows.length === 0) return undefined;
  const ports = views.find(({ spaces }) => spaces.includes('I/O'));
  return {
    regions: memory.rows.map(({ start, end, kind, name }) => ({
      start: hex(start),
      end: hex(end),
      kind: kind === 'ram' && FRAMEBUFFERS.has(name) ? 'framebuffer' : (KINDS[kind] ?? 'reserved'),
      name,
    })),
    ports: (ports?.rows ?? [])
      .filter(({ name, end }) => name !== NO_DEVICE && end <= 0x1_0000n)
      .map(({ start, end, name }): PortRegion => ({ first: Number(start), last: Number(end) - 1, device: name })),
  };
}

function rowsOf(view: string): Row[] {
  return [...view.matchAll(/^\s+([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, ([\w/-]+)\): ([^@\r\n]*)/gm)].map(
    ([, start, last, kind = '', name = '']) => ({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${last}`) + 1n,
      kind,
      name: name.trim(),
    }),
  );
}
