/** The units of `.debug_info` (and DWARF 4's `.debug_types`) and the sections that their attributes point into. */
import { type AbbrevTable, type FormSizes, readAbbrevs } from './abbrev.ts';
import { type Addresses, lastAtMost, type Range } from './addresses.ts';
import { SymbolFileError } from './api.ts';
import { Cursor, stringAt } from './bytes.ts';
import type { Die } from './die.ts';
import { type ElfFile, type ElfSection, sectionFlags } from './elf.ts';
import { maximumUnitHeader, readUnitHeader, Unit, type UnitHeader } from './unit.ts';

const maximumProblems = 100;

export class DebugInfo {
  private readonly tables = new Map<string, AbbrevTable>();
  private readonly infoSection: ElfSection | undefined;
  private readonly typesSection: ElfSection | undefined;
  /** Where offsets of `.debug_types` begin. */
  private readonly typesBias: number;
  private allUnits: readonly Unit[] | undefined;
  private signatures: Map<bigint, Unit> | undefined;
  private readonly loaded: readonly Range[];
  /** What was found damaged, each once. */
  readonly problems: string[] = [];

  constructor(
    readonly elf: ElfFile,
    readonly addresses: Addresses,
  ) {
    this.infoSection = debugSection(elf, 'info');
    this.typesSection = debugSection(elf, 'types');
    this.typesBias = this.infoSection ? this.sectionSize(this.infoSection) : 0;
    this.loaded = loadedRanges(elf, addresses);
  }

  /** `otherwise` where `read` meets damage: damage in one part of the file must not take the rest away. */
  tolerate<T>(read: () => T, otherwise: T): T {
    try {
      return read();
    } catch (error) {
      return this.note(error, otherwise);
    }
  }

  /** Keeps the message of a {@link SymbolFileError}, throws any other error on. */
  note<T>(error: unknown, otherwise: T): T {
    if (!(error instanceof SymbolFileError)) throw error;
    if (this.problems.length < maximumProblems && !this.problems.includes(error.message))
      this.problems.push(error.message);
    return otherwise;
  }

  /** Whether the image has something there: what the linker left out of it keeps its DWARF, at address 0 or -1. */
  isLoaded(distance: number): boolean {
    return this.loaded.some((range) => distance >= range.low && distance < range.high);
  }

  /** Whole bytes of a debug section, empty where there is none. */
  section(name: `.debug_${string}`): Uint8Array {
    return this.elf.bytes(debugSection(this.elf, name.slice('.debug_'.length)));
  }

  get units(): readonly Unit[] {
    this.allUnits ??= [
      ...this.readHeaders(this.infoSection, 0),
      ...this.readHeaders(this.typesSection, this.typesBias),
    ].map((header, index) => new Unit(this, header, index));
    return this.allUnits;
  }

  unitAt(offset: number): Unit | undefined {
    const { units } = this;
    const unit = units[lastAtMost(units.length, (index) => (units[index] as Unit).header.offset, offset)];
    return unit && offset < unit.header.offset + unit.header.size ? unit : undefined;
  }

  dieAt(offset: number): Die {
    const unit = this.unitAt(offset);
    if (!unit)
      throw new SymbolFileError(`.debug_info: a reference leads to 0x${offset.toString(16)}, outside of all units`);
    return unit.dieAt(offset);
  }

  typeBySignature(signature: bigint): Die | undefined {
    this.signatures ??= new Map(
      this.units.flatMap((unit) => (unit.header.signature === undefined ? [] : [[unit.header.signature, unit]])),
    );
    const unit = this.signatures.get(signature);
    return unit?.dieAt(unit.header.offset + (unit.header.typeOffset ?? 0));
  }

  readUnit(header: UnitHeader): Uint8Array {
    const inTypes = header.offset >= this.typesBias;
    const section = (inTypes ? this.typesSection : this.infoSection) as ElfSection;
    return this.elf.part(section, header.offset - (inTypes ? this.typesBias : 0), header.size);
  }

  abbrevs(header: FormSizes & { abbrevOffset: number }): AbbrevTable {
    const { abbrevOffset, offsetSize, addressSize, version } = header;
    const key = `${abbrevOffset}/${offsetSize}/${addressSize}/${version <= 2}`;
    let table = this.tables.get(key);
    if (!table) {
      table = readAbbrevs(new Cursor(this.section('.debug_abbrev'), abbrevOffset, '.debug_abbrev'), header);
      this.tables.set(key, table);
    }
    return table;
  }

  string(section: '.debug_str' | '.debug_line_str', offset: number): string {
    return stringAt(this.section(section), offset);
  }

  indexedString(unit: Unit, index: number): string {
    const { offsetSize } = unit.header;
    const at = unit.strOffsetsBase + index * offsetSize;
    return this.string(
      '.debug_str',
      new Cursor(this.section('.debug_str_offsets'), at, '.debug_str_offsets').word(offsetSize),
    );
  }

  indexedAddress(unit: Unit, index: number): bigint {
    const { addressSize } = unit.header;
    const at = unit.addrBase + index * addressSize;
    return new Cursor(this.section('.debug_addr'), at, '.debug_addr').unsigned(addressSize);
  }

  private sectionSize(section: ElfSection): number {
    return section.name.startsWith('.z') || section.flags & 0x800 ? this.elf.bytes(section).length : section.size;
  }

  private readHeaders(section: ElfSection | undefined, bias: number): UnitHeader[] {
    const headers: UnitHeader[] = [];
    if (!section) return headers;
    const end = this.sectionSize(section);
    this.tolerate(() => {
      for (let at = 0; at < end; ) {
        const bytes = this.elf.part(section, at, Math.min(maximumUnitHeader, end - at));
        const cursor = new Cursor(bytes, 0, section.name, bytes.length, at);
        const header = readUnitHeader(cursor, at + bias, section === this.typesSection);
        if (header.size > end - at) cursor.fail(`unit of ${header.size} bytes goes on behind the section`);
        headers.push(header);
        at += header.size;
      }
    }, undefined);
    return headers;
  }
}

function loadedRanges(elf: ElfFile, addresses: Addresses): Range[] {
  const sections = elf.sections.filter((section) => section.flags & sectionFlags.alloc && section.size > 0);
  const parts =
    sections.length > 0
      ? sections
      : elf.segments
          .filter((segment) => segment.type === 1)
          .map(({ address, memorySize: size }) => ({ address, size }));
  return parts.map(({ address, size }) => {
    const low = addresses.toDistance(address);
    return { low, high: low + size };
  });
}

const debugSection = (elf: ElfFile, name: string): ElfSection | undefined =>
  elf.section(`.debug_${name}`) ?? elf.section(`.zdebug_${name}`);
