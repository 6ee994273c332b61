/**
 * The Multiboot information structure, version 0.6.96, section 3.3. Ringside hands it to 32-bit multiboot kernels, and,
 * because a memory map and modules are of use there too, to kernels that are entered in long mode.
 */
import type { AddressRange, BootSegment } from './boot-image.ts';
import { LOW_MEMORY_END, type Placement } from './placement.ts';
import { lower, subtract } from './ranges.ts';

export const BOOTLOADER_MAGIC = 0x2bad_b002n;

const INFO_SIZE = 120;
const MODULE_SIZE = 16;
const MMAP_ENTRY_SIZE = 24;
const MAX_MMAP_ENTRIES = 96;
const ONE_MIB = 0x100000n;

const FLAG = { memory: 1 << 0, commandLine: 1 << 2, modules: 1 << 3, memoryMap: 1 << 6, loaderName: 1 << 9 };
const LOADER_NAME = 'Ringside';

export interface InfoRequest {
  readonly commandLine: string;
  readonly module?: { readonly start: bigint; readonly end: bigint; readonly name: string };
}

/** Where the parts of the block lie; the caller passes `info` and `commandLine` on in registers. */
export interface InfoBlock {
  readonly info: bigint;
  readonly commandLine: bigint;
  readonly segment: BootSegment;
}

/** Bytes of guest memory that {@link writeInfo} needs. */
export function infoSize(request: InfoRequest): bigint {
  const strings = request.commandLine.length * 3 + (request.module?.name.length ?? 0) * 3 + LOADER_NAME.length + 3;
  return BigInt(INFO_SIZE + MODULE_SIZE + MAX_MMAP_ENTRIES * MMAP_ENTRY_SIZE + strings);
}

/** Fills the block at `base`. All placements must be made: what is taken is marked as reserved in the memory map. */
export function writeInfo(request: InfoRequest, base: bigint, placement: Placement, kept: bigint): InfoBlock {
  const bytes = new Uint8Array(Number(infoSize(request)));
  const view = new DataView(bytes.buffer);
  const at = (offset: number) => Number(base) + offset;
  const moduleList = INFO_SIZE;
  const mmap = moduleList + MODULE_SIZE;
  let strings = mmap + MAX_MMAP_ENTRIES * MMAP_ENTRY_SIZE;
  const string = (text: string) => {
    const start = strings;
    const encoded = new TextEncoder().encode(text);
    bytes.set(encoded, start);
    strings += encoded.length + 1;
    return at(start);
  };

  const usable = usableMemory(placement, kept);
  const commandLine = string(request.commandLine);
  let flags = FLAG.memory | FLAG.commandLine | FLAG.memoryMap | FLAG.loaderName;
  view.setUint32(4, Number((usable[0]?.start === 0n ? usable[0].end : 0n) / 1024n), true);
  view.setUint32(8, upperKib(placement.ram), true);
  view.setUint32(16, commandLine, true);
  if (request.module) {
    flags |= FLAG.modules;
    view.setUint32(20, 1, true);
    view.setUint32(24, at(moduleList), true);
    view.setUint32(moduleList, Number(request.module.start), true);
    view.setUint32(moduleList + 4, Number(request.module.end), true);
    view.setUint32(moduleList + 8, string(request.module.name), true);
  }
  const entries = memoryMap(placement.ram, usable);
  view.setUint32(44, entries.length * MMAP_ENTRY_SIZE, true);
  view.setUint32(48, at(mmap), true);
  entries.forEach((entry, index) => {
    const offset = mmap + index * MMAP_ENTRY_SIZE;
    // The size field counts what follows it; entries start every size + 4 bytes.
    view.setUint32(offset, MMAP_ENTRY_SIZE - 4, true);
    view.setBigUint64(offset + 4, entry.start, true);
    view.setBigUint64(offset + 12, entry.end - entry.start, true);
    view.setUint32(offset + 20, entry.usable ? 1 : 2, true);
  });
  view.setUint32(64, string(LOADER_NAME), true);
  view.setUint32(0, flags, true);
  return { info: base, commandLine: BigInt(commandLine), segment: { gpa: base, bytes, name: 'boot information' } };
}

/** RAM without the EBDA and ROM area and without the loader's own block at `kept`. */
function usableMemory(placement: Placement, kept: bigint): AddressRange[] {
  const romArea = { start: LOW_MEMORY_END, end: ONE_MIB };
  return subtract(placement.ram, [romArea, ...placement.taken.filter((range) => range.start === kept)]);
}

/** RAM as alternating usable and reserved entries, ascending. */
function memoryMap(ram: readonly AddressRange[], usable: readonly AddressRange[]) {
  const entries: (AddressRange & { usable: boolean })[] = [];
  for (const range of ram) {
    let at = range.start;
    for (const part of usable.filter((part) => part.start >= range.start && part.end <= range.end)) {
      if (part.start > at) entries.push({ start: at, end: part.start, usable: false });
      entries.push({ ...part, usable: true });
      at = part.end;
    }
    if (at < range.end) entries.push({ start: at, end: range.end, usable: false });
  }
  return entries.slice(0, MAX_MMAP_ENTRIES);
}

/** KiB of RAM from 1 MiB up to the first hole. */
function upperKib(ram: readonly AddressRange[]): number {
  const range = ram.find(({ start, end }) => start <= ONE_MIB && end > ONE_MIB);
  const kib = range ? (range.end - ONE_MIB) / 1024n : 0n;
  return Number(lower(kib, 0xffff_ffffn));
}
