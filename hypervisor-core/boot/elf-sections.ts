/**
 * Section headers of an ELF kernel, for protocols that hand them over so that the kernel finds its own symbols. Nobody
 * needs them to boot: where they are damaged or out of proportion there are none.
 */
import type { BootSegment } from './boot-image.ts';
import type { SectionTable } from './handover.ts';
import type { Placement } from './placement.ts';

const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const MAX_SECTIONS = 1024;
/** Strings of debug information can be hundreds of megabytes; symbols and their names are not. */
const MAX_PLACED_BYTES = 64n << 20n;
const FOUR_GIB = 0x1_0000_0000n;

const layout64 = { offset: 40, entrySize: 58, count: 60, names: 62, header: 64, address: 16, place: 24, size: 32 };
const layout32 = { offset: 32, entrySize: 46, count: 48, names: 50, header: 40, address: 12, place: 16, size: 20 };

export interface CodeSection {
  readonly vaddr: bigint;
  readonly size: bigint;
}

/** The sections that are loaded and executable. `file` is an ELF file whose header is whole. */
export function codeSections(file: Uint8Array, bits: 32 | 64): CodeSection[] {
  const sections = sectionHeaders(file, bits);
  if (!sections) return [];
  const { table, layout, wide } = sections;
  const SHT_PROGBITS = 1;
  const ALLOC_AND_EXEC = 6n;
  const found: CodeSection[] = [];
  for (let at = 0; at < table.byteLength; at += sections.entrySize) {
    const flags = wide(table, at + 8);
    if (table.getUint32(at + 4, true) !== SHT_PROGBITS || (flags & ALLOC_AND_EXEC) !== ALLOC_AND_EXEC) continue;
    found.push({ vaddr: wide(table, at + layout.address), size: wide(table, at + layout.size) });
  }
  return found;
}

/** A copy of the section headers, where they are whole and in proportion. */
function sectionHeaders(file: Uint8Array, bits: 32 | 64) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const layout = bits === 64 ? layout64 : layout32;
  const wide = (data: DataView, at: number) =>
    bits === 64 ? data.getBigUint64(at, true) : BigInt(data.getUint32(at, true));
  const offset = wide(view, layout.offset);
  const entrySize = view.getUint16(layout.entrySize, true);
  const count = view.getUint16(layout.count, true);
  const names = view.getUint16(layout.names, true);
  const length = entrySize * count;
  if (count === 0 || count > MAX_SECTIONS || entrySize < layout.header || entrySize > 4 * layout.header)
    return undefined;
  if (names >= count || offset + BigInt(length) > BigInt(file.length)) return undefined;
  // Not slice(): a Buffer's gives no copy.
  const headers = new Uint8Array(file.subarray(Number(offset), Number(offset) + length));
  return { headers, table: new DataView(headers.buffer), layout, wide, entrySize, count, names };
}

/**
 * Copies the section headers of `file`, an ELF file whose header is whole, and places symbol and string tables that have
 * no address yet below 4 GiB.
 */
export function placeSections(
  file: Uint8Array,
  bits: 32 | 64,
  placement: Placement,
): { table: SectionTable; segments: readonly BootSegment[] } | undefined {
  const sections = sectionHeaders(file, bits);
  if (!sections) return undefined;
  const { headers, table, layout, wide, entrySize, count, names } = sections;
  const segments: BootSegment[] = [];
  let placed = 0n;
  for (let index = 0; index < count; index++) {
    const at = index * entrySize;
    const type = table.getUint32(at + 4, true);
    const place = wide(table, at + layout.place);
    const size = wide(table, at + layout.size);
    if ((type !== SHT_SYMTAB && type !== SHT_STRTAB) || wide(table, at + layout.address) !== 0n) continue;
    if (size === 0n || place + size > BigInt(file.length) || placed + size > MAX_PLACED_BYTES) continue;
    const name = `ELF section ${index}`;
    const gpa = placement.tryAllocate(size, name, FOUR_GIB);
    if (gpa === undefined) continue;
    placed += size;
    segments.push({ gpa, bytes: file.subarray(Number(place), Number(place + size)), name });
    if (bits === 64) table.setBigUint64(at + layout.address, gpa, true);
    else table.setUint32(at + layout.address, Number(gpa), true);
  }
  return { table: { headers, count, entrySize, names }, segments };
}
