/** Sections with units, and the sections beside them, in the image and in files of split DWARF. */
import { type ElfFile, type ElfSection, sectionFlags } from './elf.ts';

export type DebugSectionName = `.debug_${string}`;

/** A section with units, at a place of its own in the numbering of all entries. */
export interface UnitPart {
  readonly elf: ElfFile;
  readonly section: ElfSection;
  /** Bytes, decompressed. */
  readonly size: number;
  /** Where its offsets begin in {@link UnitHeader.offset}. */
  readonly bias: number;
  /** `.dwo` at the end of the names of the sections beside it, in a file of split DWARF. */
  readonly suffix: '' | '.dwo';
}

/** Where a unit's own part of each section is, in a package of split DWARF, in which those of many files stand together. */
export type Contributions = ReadonlyMap<DebugSectionName, { readonly offset: number; readonly size: number }>;

/** Also by the name that a compressed section once had. */
export const debugSection = (elf: ElfFile, name: string, suffix = ''): ElfSection | undefined =>
  elf.section(`.debug_${name}${suffix}`) ?? elf.section(`.zdebug_${name}${suffix}`);

/** Decompressed. */
export const sectionSize = (elf: ElfFile, section: ElfSection): number =>
  section.name.startsWith('.z') || section.flags & sectionFlags.compressed ? elf.bytes(section).length : section.size;

/** @param bias As in {@link UnitPart.bias}. */
export const unitPart = (
  elf: ElfFile,
  section: ElfSection,
  bias: number,
  suffix: UnitPart['suffix'] = '',
): UnitPart => ({
  elf,
  section,
  size: sectionSize(elf, section),
  bias,
  suffix,
});
