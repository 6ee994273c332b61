/** A section with a table of names, read in small parts: a kernel's has 40 MB, of which a name needs a few bytes. */
import { Cursor } from '../bytes.ts';
import type { DebugInfo } from '../debug-info.ts';
import { type ElfSection, sectionFlags } from '../elf.ts';
import { sectionSize } from '../unit-part.ts';

export class TableSection {
  readonly size: number;

  private constructor(
    private readonly info: DebugInfo,
    private readonly section: ElfSection,
  ) {
    this.size = sectionSize(info.dwarf, section);
  }

  static of(info: DebugInfo, name: string): TableSection | undefined {
    const section = info.dwarf.section(name);
    return section && !(section.flags & sectionFlags.alloc) ? new TableSection(info, section) : undefined;
  }

  /** The bytes from `at` up to `end`. Throws `SymbolFileError` where the section does not have them. */
  read(at: number, end: number): Cursor {
    const { dwarf } = this.info;
    const bytes = dwarf.part(this.section, at, end - at);
    return new Cursor(bytes, 0, this.section.name, bytes.length, at);
  }

  /** As {@link read}, fewer where the section ends before. */
  readSome(at: number, length: number): Cursor {
    return this.read(at, Math.min(at + length, this.size));
  }
}
