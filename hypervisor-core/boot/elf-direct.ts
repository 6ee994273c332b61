/**
 * Boots an ELF kernel directly at e_entry in the mode that the file says, as no firmware does and every kernel author
 * wants. What the kernel finds:
 *
 * - CPL 0, interrupts off (RFLAGS = 2), no IDT: an exception before the kernel loads its own ends the guest.
 * - ELF64: long mode. CR3: 4-level tables that map [0, max(4 GiB, end of RAM)) to itself, writable, with 2 MiB pages, and
 *   every segment whose p_vaddr lies above that at its p_vaddr too (the higher half). A kernel should switch to its own
 *   tables soon. CR0 = PG | NE | ET | PE, CR4 = PAE, EFER = LMA | LME; SSE, NX and global pages are the kernel's to switch on.
 * - ELF32: protected mode without paging.
 * - GDT: null, 0x08 code, 0x10 data; CS = 0x08, all others 0x10.
 * - RSP: top of a stack of 4 KiB. RDI: the command line, zero-terminated. RSI: a Multiboot 1 information structure with
 *   memory map, the initial RAM disk as module. Both are guest-physical addresses. All other
 *   registers are zero.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { enterDirectly, identityEndFor } from './direct-entry.ts';
import type { ElfFile } from './elf-file.ts';
import { physicalEntry, placeElf } from './elf-segments.ts';
import { LoaderTables, type Mapping } from './loader-tables.ts';
import { Placement } from './placement.ts';

/** Places an ELF64 kernel. Throws `BootError` when it does not fit or its entry point cannot be reached. */
export function bootElf64(request: BootRequest, elf: ElfFile): BootImage {
  const placement = new Placement(request.ram, request.name);
  const placed = placeElf(elf, placement);
  const identityEnd = identityEndFor(request);
  const higherHalf = elf.segments
    .filter(({ vaddr, paddr }) => vaddr !== paddr && vaddr >= identityEnd)
    .map(({ vaddr, paddr, memorySize }): Mapping => ({ vaddr, paddr, size: memorySize }));
  checkEntry(request.name, elf, identityEnd);
  for (const mapping of higherHalf) checkCanonical(request.name, mapping);

  const tables = new LoaderTables();
  tables.identity(identityEnd);
  tables.map(higherHalf);
  return {
    protocol: 'elf64',
    ...enterDirectly(request, placement, placed, elf.entry, { mode: 'long', tables }),
    ...(elf.notes.personality && { personality: elf.notes.personality }),
    description: `ELF64, entered in long mode at 0x${elf.entry.toString(16)}`,
  };
}

/** Places an ELF32 kernel. Throws `BootError` when it does not fit or its entry point is nowhere. */
export function bootElf32(request: BootRequest, elf: ElfFile): BootImage {
  const placement = new Placement(request.ram, request.name);
  const placed = placeElf(elf, placement);
  const entry = physicalEntry(request.name, elf);
  return {
    protocol: 'elf32',
    ...enterDirectly(request, placement, placed, entry, { mode: 'protected32' }),
    ...(elf.notes.personality && { personality: elf.notes.personality }),
    description: `ELF, entered in protected mode at 0x${entry.toString(16)}`,
  };
}

/** The entry point must be in a segment as the guest will see it: by physical address, or by a virtual one high enough. */
function checkEntry(name: string, elf: ElfFile, identityEnd: bigint): void {
  const { entry } = elf;
  const at = `0x${entry.toString(16)}`;
  const within = (start: bigint, size: bigint) => entry >= start && entry < start + size;
  if (elf.segments.some(({ paddr, memorySize }) => entry < identityEnd && within(paddr, memorySize))) return;
  const virtual = elf.segments.find(({ vaddr, memorySize }) => within(vaddr, memorySize));
  if (virtual && virtual.vaddr >= identityEnd) return;
  if (virtual) {
    throw new BootError(
      `${name}: the entry point ${at} is a virtual address of segment ${virtual.index}, which is loaded at ` +
        `0x${virtual.paddr.toString(16)}; the loader maps addresses below 0x${identityEnd.toString(16)} to themselves.`,
      'Link the entry code where it is loaded (p_paddr = p_vaddr), or in the higher half.',
    );
  }
  throw new BootError(
    `${name}: the entry point ${at} is in no loaded segment.`,
    'Check ENTRY(...) in the linker script.',
  );
}

function checkCanonical(name: string, { vaddr, size }: Mapping): void {
  const last = vaddr + size - 1n;
  const canonical = (address: bigint) => BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;
  if (canonical(vaddr) && canonical(last) && BigInt.asIntN(64, vaddr) < 0n === BigInt.asIntN(64, last) < 0n) return;
  throw new BootError(
    `${name}: virtual address 0x${vaddr.toString(16)} is not canonical: bits 63 to 47 must be equal.`,
    'Correct the virtual addresses in the linker script.',
  );
}
