/** The memory map that every boot protocol hands over, each in its own format. */
import type { AddressRange, MemoryEntry } from './boot-image.ts';
import { LOW_MEMORY_END, type Placement } from './placement.ts';
import { lower, subtract } from './ranges.ts';

/** Most entries of a map: fewer than the 128 of Linux, more than RAM in two runs can need. */
export const MAX_MEMORY_ENTRIES = 96;

const ONE_MIB = 0x100000n;

/**
 * RAM as alternating usable and reserved entries, ascending. Reserved are the EBDA and ROM area and what the loader
 * keeps for itself.
 */
export function bootMemoryMap({ ram }: Placement, kept: readonly AddressRange[]): MemoryEntry[] {
  const usable = subtract(ram, [{ start: LOW_MEMORY_END, end: ONE_MIB }, ...kept]);
  const entries: MemoryEntry[] = [];
  for (const range of ram) {
    let at = range.start;
    for (const part of usable.filter((part) => part.start >= range.start && part.end <= range.end)) {
      if (part.start > at) entries.push({ start: at, end: part.start, usable: false });
      entries.push({ ...part, usable: true });
      at = part.end;
    }
    if (at < range.end) entries.push({ start: at, end: range.end, usable: false });
  }
  return entries.slice(0, MAX_MEMORY_ENTRIES);
}

/** Multiboot's mem_lower and mem_upper: KiB of usable RAM from 0 on, KiB of RAM from 1 MiB to the first hole. */
export function basicMemory(entries: readonly MemoryEntry[]): { lower: number; upper: number } {
  const first = entries.find(({ start, usable }) => usable && start === 0n);
  let end = ONE_MIB;
  for (const entry of entries) if (entry.start <= end && entry.end > end) end = entry.end;
  return { lower: kib(first?.end ?? 0n), upper: kib(end - ONE_MIB) };
}

const kib = (bytes: bigint) => Number(lower(bytes / 1024n, 0xffff_ffffn));
