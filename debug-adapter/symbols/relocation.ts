/** Relocatable files, such as kernel modules: where their sections go, and their relocations. x86-64 psABI 4.4. */
import { Cursor } from './bytes.ts';
import type { ElfFile, ElfSection } from './elf.ts';

const sectionTypes = { rela: 4, rel: 9 } as const;
const allocated = 2;
const absoluteSection = 0xfff1;

/** What is written by a relocation: its width in bytes, and whether it counts from the place itself. */
interface Write {
  readonly size: 4 | 8;
  readonly relative: boolean;
}

const writes: Readonly<Record<'x86-64' | 'i386', ReadonlyMap<number, Write>>> = {
  'x86-64': new Map([
    [1, { size: 8, relative: false }], // R_X86_64_64
    [2, { size: 4, relative: true }], // R_X86_64_PC32
    [4, { size: 4, relative: true }], // R_X86_64_PLT32
    [10, { size: 4, relative: false }], // R_X86_64_32
    [11, { size: 4, relative: false }], // R_X86_64_32S
    [24, { size: 8, relative: true }], // R_X86_64_PC64
  ]),
  i386: new Map([
    [1, { size: 4, relative: false }], // R_386_32
    [2, { size: 4, relative: true }], // R_386_PC32
    [4, { size: 4, relative: true }], // R_386_PLT32
  ]),
};

/**
 * The sections of a relocatable file at the addresses that `addresses` gives by name. One that is loaded and not named
 * there comes behind those before it, from 0 on.
 */
export function placeSections(
  sections: readonly ElfSection[],
  addresses: ReadonlyMap<string, bigint>,
): readonly ElfSection[] {
  let next = 0n;
  return sections.map((section) => {
    if (!(section.flags & allocated)) return section;
    const given = addresses.get(section.name);
    if (given !== undefined) return { ...section, address: given };
    const alignment = BigInt(Math.max(1, section.alignment));
    const address = ((next + alignment - 1n) / alignment) * alignment;
    next = address + BigInt(section.size);
    return { ...section, address };
  });
}

/** Applies the relocations of a section to its bytes. Those against symbols of other files are left out. */
export function relocate(elf: ElfFile, section: ElfSection, bytes: Uint8Array): void {
  for (const table of elf.sections) {
    const withAddend = table.type === sectionTypes.rela;
    if ((withAddend || table.type === sectionTypes.rel) && table.info === section.index)
      applyTable(elf, table, section, bytes, withAddend);
  }
}

function applyTable(
  elf: ElfFile,
  table: ElfSection,
  section: ElfSection,
  bytes: Uint8Array,
  withAddend: boolean,
): void {
  const wide = elf.wordSize === 8;
  const known = writes[elf.machine];
  const symbols = elf.sections[table.link];
  const values = symbols ? symbolValues(elf, symbols) : [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const cursor = new Cursor(elf.bytes(table), 0, table.name);
  const entrySize = (wide ? 16 : 8) + (withAddend ? elf.wordSize : 0);
  while (cursor.left >= entrySize) {
    const at = cursor.word(elf.wordSize);
    const low = cursor.u32();
    const [type, symbol] = wide ? [low, cursor.u32()] : [low & 0xff, low >>> 8];
    const addend = withAddend ? cursor.signed(elf.wordSize) : undefined;
    const write = known.get(type);
    const value = values[symbol];
    if (!write || value === undefined || at + write.size > bytes.length) continue;
    const inPlace = write.size === 8 ? view.getBigInt64(at, true) : BigInt(view.getInt32(at, true));
    const origin = write.relative ? section.address + BigInt(at) : 0n;
    const result = value + (addend ?? inPlace) - origin;
    if (write.size === 8) view.setBigUint64(at, BigInt.asUintN(64, result), true);
    else view.setUint32(at, Number(BigInt.asUintN(32, result)), true);
  }
}

/** Addresses of the symbols of a table; undefined for those of other files. */
function symbolValues(elf: ElfFile, table: ElfSection): (bigint | undefined)[] {
  const wide = elf.wordSize === 8;
  const cursor = new Cursor(elf.bytes(table), 0, table.name);
  const values: (bigint | undefined)[] = [];
  while (cursor.left >= (wide ? 24 : 16)) {
    cursor.skip(4);
    let value = wide ? 0n : cursor.unsigned(4);
    if (!wide) cursor.skip(4);
    cursor.skip(2);
    const index = cursor.u16();
    if (wide) {
      value = cursor.u64();
      cursor.skip(8);
    }
    const within = elf.sections[index];
    if (index === absoluteSection) values.push(value);
    else values.push(index === 0 || !within ? undefined : value + within.address);
  }
  return values;
}
