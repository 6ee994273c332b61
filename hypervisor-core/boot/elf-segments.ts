/** Turns ELF program headers into bytes to place, after checking them against guest memory. */
import type { BootSegment, ZeroedRange } from './boot-image.ts';
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
    if (bytes.length > 0) segments.push({ gpa: paddr, gva: vaddr, bytes, name });
    const bss = paddr + BigInt(bytes.length);
    if (bss < end) zeroed.push({ start: bss, end, name: `${name}, zeroed` });
  }
  return { segments, zeroed };
}
