/**
 * Multiboot 1 (specification 0.6.96): a header in the first 8 KiB, protected mode without paging, EAX = 0x2BADB002, EBX =
 * information structure. A kernel is loaded by the address fields of its header when it has them, else as ELF.
 * Video mode requests (flag 2) are not granted; the kernel is started and finds no video fields in the information.
 */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { protectedMode } from './cpu-state.ts';
import { type ElfFile, isElf, parseElf } from './elf-file.ts';
import { placeElf } from './elf-segments.ts';
import { placeLoaderBlock } from './loader-block.ts';
import { BOOTLOADER_MAGIC } from './multiboot1-info.ts';
import { Placement } from './placement.ts';

const HEADER_MAGIC = 0x1bad_b002;
const SEARCHED_BYTES = 8192;
const FLAG_ADDRESSES = 1 << 16;
/** Page-aligned modules, memory information, video mode. Other bits below 16 are demands that nobody has defined. */
const KNOWN_DEMANDS = 0x7;
const FOUR_GIB = 0x1_0000_0000n;

interface MultibootHeader {
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
  const { segments, zeroed, entry } =
    header.flags & FLAG_ADDRESSES ? placeByAddresses(request, header, placement) : placeAsElf(request, elf, placement);
  const block = placeLoaderBlock(request, placement, 'protected32');
  return {
    protocol: 'multiboot1',
    segments: [...segments, ...block.segments],
    zeroed,
    cpu: protectedMode({
      general: { rip: entry, rsp: block.stackTop, rflags: 2n, rax: BOOTLOADER_MAGIC, rbx: block.info },
      gdt: block.gdt,
    }),
    ...(elf?.personality && { personality: elf.personality }),
    description: `multiboot 1, entered in 32-bit protected mode at 0x${entry.toString(16)}`,
  };
}

type Placed = Pick<BootImage, 'segments' | 'zeroed'> & { readonly entry: bigint };

function placeAsElf(request: BootRequest, elf: ElfFile | undefined, placement: Placement): Placed {
  if (!elf) {
    throw new BootError(
      `${request.name} is not an ELF file and its multiboot header has no address fields.`,
      'Set flag 16 and the address fields in the header, or link the kernel as ELF.',
    );
  }
  const inside = ({ paddr, memorySize }: ElfFile['segments'][number], address: bigint) =>
    address >= paddr && address < paddr + memorySize;
  // A higher-half kernel may give its entry point as the virtual address of low-loaded code.
  const virtual = elf.segments.find(({ vaddr, memorySize }) => elf.entry >= vaddr && elf.entry < vaddr + memorySize);
  const physical = elf.segments.some((segment) => inside(segment, elf.entry));
  const entry = physical || !virtual ? elf.entry : elf.entry - virtual.vaddr + virtual.paddr;
  if (!elf.segments.some((segment) => inside(segment, entry)) || entry >= FOUR_GIB) {
    throw new BootError(
      `${request.name}: the entry point 0x${elf.entry.toString(16)} is in no segment loaded below 4 GiB.`,
      'Check ENTRY(...) in the linker script.',
    );
  }
  return { ...placeElf(elf, placement), entry };
}

/** Section 3.1.3: where the file's bytes go, given by the header itself. */
function placeByAddresses(request: BootRequest, header: MultibootHeader, placement: Placement): Placed {
  const { file, name } = request;
  const bad = (what: string) =>
    new BootError(`${name}: the address fields of the multiboot header are wrong: ${what}.`, 'Correct the header.');
  if (header.at + 32 > Math.min(file.length, SEARCHED_BYTES)) throw bad('the header is cut short');
  const view = new DataView(file.buffer, file.byteOffset + header.at, 32);
  const field = (offset: number) => view.getUint32(offset, true);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [field(12), field(16), field(20), field(24), field(28)];

  const offset = header.at - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || offset < 0) throw bad('header_addr and load_addr put the load before the file');
  const length = loadEnd === 0 ? file.length - offset : loadEnd - loadAddress;
  if (length <= 0) throw bad('load_end_addr is not above load_addr');
  if (offset + length > file.length) {
    throw new BootError(
      `${name} is cut short: its multiboot header loads up to offset ${offset + length} and the file ends at ${file.length}.`,
      'Build or copy the file again.',
    );
  }
  const end = loadAddress + length;
  const last = Math.max(end, bssEnd);
  if (bssEnd !== 0 && bssEnd < end) throw bad('bss_end_addr is below load_end_addr');
  if (entry < loadAddress || entry >= end) throw bad('entry_addr is outside the loaded bytes');

  const image = 'multiboot image';
  placement.claim({ start: BigInt(loadAddress), end: BigInt(last), name: image });
  return {
    segments: [{ gpa: BigInt(loadAddress), bytes: file.subarray(offset, offset + length), name: image }],
    zeroed: last > end ? [{ start: BigInt(end), end: BigInt(last), name: `${image}, zeroed` }] : [],
    entry: BigInt(entry),
  };
}
