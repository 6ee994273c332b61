/** Turns ELF program headers into bytes to place, after checking them against guest memory. */
import { BootError, type BootSegment, type ZeroedRange } from './boot-image.ts';
import type { ElfFile } from './elf-file.ts';
import type { Placement } from './placement.ts';

/** Segments go to their p_paddr. Throws `BootError` when one lies outside RAM or on another. */
export function placeElf(elf: ElfFile, placement: Placement): { segments: BootSegment[]; zeroed: ZeroedRange[] } {
  const segments: BootSegment[] = [];
  const zeroed: ZeroedRange[] = [];
  for (const { index, flags, vaddr, paddr, memorySize, bytes } of elf.segments) {
    const name = `ELF segment ${index} (${flags})`;
    const end = paddr + memorySize;
    placement.claim({ start: paddr, end, name });
    const ranges = elf.code
      .map(({ vaddr: start, size }) => ({ start: Number(start - vaddr), end: Number(start - vaddr + size) }))
      .filter(({ start, end }) => start >= 0 && end <= bytes.length);
    const code = ranges.length > 0 && { code: { bits: elf.bits, ranges } };
    if (bytes.length > 0) segments.push({ gpa: paddr, gva: vaddr, bytes, name, ...code });
    const bss = paddr + BigInt(bytes.length);
    if (bss < end) zeroed.push({ start: bss, end, name: `${name}, zeroed` });
  }
  return { segments, zeroed };
}

const FOUR_GIB = 0x1_0000_0000n;

/**
 * Where a kernel that is entered without paging begins. A higher-half kernel may give its entry point as the virtual
 * address of low-loaded code. Throws {@link BootError} when that is in no segment below 4 GiB.
 */
export function physicalEntry(name: string, elf: ElfFile, entry: bigint = elf.entry): bigint {
  const inside = ({ paddr, memorySize }: ElfFile['segments'][number], address: bigint) =>
    address >= paddr && address < paddr + memorySize;
  const virtual = elf.segments.find(({ vaddr, memorySize }) => entry >= vaddr && entry < vaddr + memorySize);
  const physical = elf.segments.some((segment) => inside(segment, entry));
  const found = physical || !virtual ? entry : entry - virtual.vaddr + virtual.paddr;
  if (elf.segments.some((segment) => inside(segment, found)) && found < FOUR_GIB) return found;
  throw new BootError(
    `${name}: the entry point 0x${entry.toString(16)} is in no segment loaded below 4 GiB.`,
    'Check ENTRY(...) in the linker script.',
  );
}
