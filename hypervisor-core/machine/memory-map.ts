/** Guest-physical space and ports as the memory map view shows them. */
import type { BootImage } from '../boot/boot-image.ts';
import type { DeviceModel } from '../devices/device.ts';
import { type Resolution, strideOf } from '../protocol/framebuffer.ts';
import { hex } from '../protocol/hex.ts';
import type { MemoryMap, MemoryRegion, PortRegion, Screen } from '../protocol/inspect.ts';
import type { RamRange } from './guest-ram.ts';

interface Span {
  readonly start: bigint;
  readonly end: bigint;
  readonly kind: MemoryRegion['kind'];
  readonly name: string;
  readonly detail?: string;
  readonly gva?: bigint | undefined;
  readonly screen?: Screen;
}

/** Register windows of the chips in the kernel, and the pages that KVM on Intel keeps for itself. */
const chips: readonly Span[] = [
  { start: 0xfec0_0000n, end: 0xfec0_1000n, kind: 'mmio', name: 'I/O APIC' },
  { start: 0xfee0_0000n, end: 0xfee0_1000n, kind: 'mmio', name: 'local APIC' },
  { start: 0xfeff_c000n, end: 0xff00_0000n, kind: 'reserved', name: 'KVM', detail: 'identity map and TSS' },
];

/** Ports of the chips in the kernel. */
const chipPorts: readonly PortRegion[] = [
  { first: 0x20, last: 0x21, device: 'PIC master' },
  { first: 0x40, last: 0x43, device: 'PIT' },
  { first: 0x61, last: 0x61, device: 'PIT gate and speaker' },
  { first: 0xa0, last: 0xa1, device: 'PIC slave' },
  { first: 0x4d0, last: 0x4d1, device: 'PIC edge/level control' },
];

const FOUR_GIB = 1n << 32n;

/** What a run of memory is, for a person. */
function described(kind: RamRange['kind'], framebuffer: Resolution | undefined): Omit<Span, 'start' | 'end'> {
  if (kind !== 'framebuffer' || !framebuffer) return { kind, name: kind.toUpperCase() };
  const { width, height } = framebuffer;
  const screen = { width, height, stride: strideOf(framebuffer), format: 'XRGB8888' } as const;
  return {
    ...{ kind, name: `Framebuffer ${width} × ${height}, 32 bits a pixel`, screen },
    detail: `${screen.format}, ${screen.stride} bytes a row`,
  };
}

interface MappedParts {
  readonly ranges: readonly RamRange[];
  readonly framebuffer: Resolution | undefined;
  readonly image: BootImage;
  readonly models: readonly DeviceModel[];
}

export function memoryMap({ ranges, framebuffer, image, models }: MappedParts): MemoryMap {
  const { segments, zeroed, memory = [] } = image;
  const ram = ranges.map(
    ({ gpa, size, kind }): Span => ({
      ...{ start: BigInt(gpa), end: BigInt(gpa + size) },
      ...described(kind, framebuffer),
    }),
  );
  const images = segments.map(
    ({ gpa, gva, bytes, name }): Span => ({ start: gpa, end: gpa + BigInt(bytes.length), kind: 'image', name, gva }),
  );
  const cleared = zeroed.map(({ start, end, name }): Span => ({ start, end, kind: 'image', name }));
  const told = memory.map(
    ({ usable, ...range }): Span => ({ ...range, kind: 'told', name: usable ? 'usable' : 'reserved', detail: 'e820' }),
  );
  const [low] = ram;
  const hole: Span = { start: low?.end ?? 0n, end: FOUR_GIB, kind: 'hole', name: 'device hole' };
  const spans = [...ram, hole, ...chips, ...told, ...images, ...cleared].sort(
    (a, b) => Number(a.start - b.start) || Number(b.end - a.end),
  );
  const ports = models.flatMap(({ name, ports: list }) => list.map((range) => ({ ...range, device: name })));
  return {
    regions: spans.map(({ start, end, gva, ...rest }) => ({
      ...{ ...rest, start: hex(start), end: hex(end) },
      ...(gva !== undefined && { virtual: hex(gva) }),
    })),
    ports: [...chipPorts, ...ports].sort((a, b) => a.first - b.first),
  };
}
