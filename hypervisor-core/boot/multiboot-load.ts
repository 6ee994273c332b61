/** How a multiboot kernel, version 1 or 2, gets into memory: by the address fields of its header when it has them, else as ELF. */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import type { ElfFile } from './elf-file.ts';
import { physicalEntry, placeElf } from './elf-segments.ts';
import type { Placement } from './placement.ts';

/** Address fields of a header that lies at `headerAt` in the file. All are physical addresses. */
export interface AddressFields {
  readonly headerAt: number;
  readonly headerAddress: number;
  /** Undefined for the start of the file. */
  readonly loadAddress: number | undefined;
  /** 0: up to the end of the file. */
  readonly loadEnd: number;
  /** 0: nothing to clear. */
  readonly bssEnd: number;
  readonly entry: number;
}

export type Placed = Pick<BootImage, 'segments' | 'zeroed'> & { readonly entry: bigint };

/** `entry`: an entry point that the header gives in place of e_entry. */
export function placeAsElf(
  { name }: BootRequest,
  elf: ElfFile | undefined,
  placement: Placement,
  entry?: bigint,
): Placed {
  if (!elf) {
    throw new BootError(
      `${name} is not an ELF file and its multiboot header has no address fields.`,
      'Set the address fields in the header (multiboot 1: with flag 16), or link the kernel as ELF.',
    );
  }
  return { ...placeElf(elf, placement), entry: physicalEntry(name, elf, entry) };
}

/** Multiboot 1 section 3.1.3, multiboot 2 section 3.1.5: where the file's bytes go, given by the header itself. */
export function placeByAddresses({ file, name }: BootRequest, fields: AddressFields, placement: Placement): Placed {
  const bad = (what: string) =>
    new BootError(`${name}: the address fields of the multiboot header are wrong: ${what}.`, 'Correct the header.');
  const { headerAt, headerAddress, loadEnd, bssEnd, entry } = fields;
  const loadAddress = fields.loadAddress ?? headerAddress - headerAt;
  const offset = headerAt - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || offset < 0 || loadAddress < 0) {
    throw bad('header_addr and load_addr put the load before the file');
  }
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
