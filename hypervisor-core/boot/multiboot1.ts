/**
 * Multiboot 1 (specification 0.6.96): a header in the first 8 KiB, protected mode without paging, EAX = 0x2BADB002, EBX =
 * information structure. Which video mode the header wants (flag 2) is not looked at: where the machine has a framebuffer, the
 * information tells of it, else the kernel is started and finds no video fields there.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { protectedMode } from './cpu-state.ts';
import { isElf, parseElf } from './elf-file.ts';
import { placeLoaderBlock } from './loader-block.ts';
import { type AddressFields, placeAsElf, placeByAddresses } from './multiboot-load.ts';
import { BOOTLOADER_MAGIC, multiboot1Info } from './multiboot1-info.ts';
import { Placement } from './placement.ts';

const HEADER_MAGIC = 0x1bad_b002;
const SEARCHED_BYTES = 8192;
const FLAG_ADDRESSES = 1 << 16;
/** Page-aligned modules, memory information, video mode. Other bits below 16 are demands that nobody has defined. */
const KNOWN_DEMANDS = 0x7;

export interface MultibootHeader {
  /** Offset in the file. */
  readonly at: number;
  readonly flags: number;
}

/** Finds the header: 4-byte aligned, wholly in the first 8 KiB, with a right checksum. */
export function findMultibootHeader(file: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(file.buffer, file.byteOffset, Math.min(file.byteLength, SEARCHED_BYTES));
  for (let at = 0; at + 12 <= view.byteLength; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(at + 4, true);
    if (((HEADER_MAGIC + flags + view.getUint32(at + 8, true)) & 0xffff_ffff) === 0) return { at, flags };
  }
  return undefined;
}

/** True when the header names its own entry point, so that the ELF header's may serve another way of booting. */
export const hasOwnEntry = ({ flags }: MultibootHeader): boolean => (flags & FLAG_ADDRESSES) !== 0;

/** Places a multiboot kernel. Throws `BootError` when the header contradicts the file or guest memory. */
export function bootMultiboot1(request: BootRequest, header: MultibootHeader): BootImage {
  const demands = header.flags & 0xffff & ~KNOWN_DEMANDS;
  if (demands !== 0) {
    throw new BootError(
      `${request.name} demands multiboot features that do not exist (flags 0x${demands.toString(16)}).`,
      'Correct the flags of the multiboot header.',
    );
  }
  const placement = new Placement(request.ram, request.name);
  const elf = isElf(request.file) ? parseElf(request.name, request.file) : undefined;
  const { segments, zeroed, entry } = hasOwnEntry(header)
    ? placeByAddresses(request, addressFields(request, header), placement)
    : placeAsElf(request, elf, placement);
  const block = placeLoaderBlock(request, placement, {
    mode: 'protected32',
    format: multiboot1Info,
    ...(elf && { sectionsOf: elf }),
  });
  return {
    protocol: 'multiboot1',
    segments: [...segments, ...block.segments],
    memory: block.memory,
    zeroed,
    cpu: protectedMode({
      general: { rip: entry, rsp: block.stackTop, rflags: 2n, rax: BOOTLOADER_MAGIC, rbx: block.info },
      gdt: block.gdt,
    }),
    ...(elf?.notes.personality && { personality: elf.notes.personality }),
    description: `multiboot 1, entered in 32-bit protected mode at 0x${entry.toString(16)}`,
  };
}

function addressFields({ file, name }: BootRequest, { at }: MultibootHeader): AddressFields {
  if (at + 32 > Math.min(file.length, SEARCHED_BYTES)) {
    throw new BootError(
      `${name}: the address fields of the multiboot header are wrong: the header is cut short.`,
      'Correct the header.',
    );
  }
  const view = new DataView(file.buffer, file.byteOffset + at, 32);
  const field = (offset: number) => view.getUint32(offset, true);
  return {
    headerAt: at,
    headerAddress: field(12),
    loadAddress: field(16),
    loadEnd: field(20),
    bssEnd: field(24),
    entry: field(28),
  };
}
