/** The units of `.debug_info` (and DWARF 4's `.debug_types`) and the sections that their attributes point into. */
import { type AbbrevPool, type AbbrevTable, type FormSizes, readAbbrevs } from './abbrev.ts';
import { Addresses, lastAtMost, type Range } from './addresses.ts';
import { SymbolFileError } from './api.ts';
import { Cursor, stringAt } from './bytes.ts';
import type { Die } from './die.ts';
import { ElfFile, type ElfSection, sectionFlags } from './elf.ts';
import { PathPool } from './line-header.ts';
import { maximumUnitHeader, readUnitHeader, Unit, type UnitHeader } from './unit.ts';

const maximumProblems = 100;
/** Bytes that are read at once where all units are visited. */
const windowBytes = 1024 * 1024;
/** Bytes of units that are kept; those loaded first are let go of first. */
const keptBytes = 32 * 1024 * 1024;

/** The DWARF of a file by itself. Arguments and errors are those of `ElfFile.open`. */
export function openDebugInfo(path: string, placed?: ReadonlyMap<string, bigint>): DebugInfo {
  return debugInfoOf(ElfFile.open(path, placed));
}

/** @param dwarf The file with the DWARF of `elf`, where that is another. */
export const debugInfoOf = (elf: ElfFile, dwarf = elf): DebugInfo =>
  new DebugInfo(elf, new Addresses(originOf(elf), elf.wordSize), dwarf);

/** The lowest loaded address: from there, all distances within the image are small. */
function originOf(elf: ElfFile): bigint {
  const loaded = elf.sections.filter((section) => section.flags & sectionFlags.alloc && section.size > 0);
  const parts = loaded.length > 0 ? loaded : elf.segments.filter((segment) => segment.type === 1);
  let origin = parts[0]?.address ?? 0n;
  for (const { address } of parts) if (address < origin) origin = address;
  return origin;
}

export class DebugInfo {
  private readonly tables = new Map<string, AbbrevTable>();
  private readonly pools = new Map<string, AbbrevPool>();
  private readonly kept = new Set<Unit>();
  private keptSize = 0;
  private readonly infoSection: ElfSection | undefined;
  private readonly typesSection: ElfSection | undefined;
  /** Where offsets of `.debug_types` begin. */
  private readonly typesBias: number;
  private allUnits: readonly Unit[] | undefined;
  private signatures: Map<bigint, Unit> | undefined;
  private readonly loaded: readonly Range[];
  readonly paths = new PathPool((offset) => this.string('.debug_line_str', offset));
  /** What was found damaged, each once. */
  readonly problems: string[] = [];

  constructor(
    /** The image: code, notes, `.eh_frame`. */
    readonly elf: ElfFile,
    readonly addresses: Addresses,
    /** The file with the DWARF: the same one, unless the image was stripped. */
    readonly dwarf: ElfFile,
  ) {
    this.infoSection = debugSection(dwarf, 'info');
    this.typesSection = debugSection(dwarf, 'types');
    this.typesBias = this.infoSection ? this.sectionSize(this.infoSection) : 0;
    this.loaded = loadedRanges(elf, addresses);
  }

  close(): void {
    this.elf.close();
    if (this.dwarf !== this.elf) this.dwarf.close();
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
    this.addProblem(error.message);
    return otherwise;
  }

  addProblem(message: string): void {
    if (this.problems.length < maximumProblems && !this.problems.includes(message)) this.problems.push(message);
  }

  /** Bytes of entries there are to read. */
  get infoSize(): number {
    return [this.infoSection, this.typesSection].reduce((sum, each) => sum + (each ? this.sectionSize(each) : 0), 0);
  }

  /** Whether the image has something there: what the linker left out of it keeps its DWARF, at address 0 or -1. */
  isLoaded(distance: number): boolean {
    return this.loaded.some((range) => distance >= range.low && distance < range.high);
  }

  /** Whole bytes of a debug section, empty where there is none. */
  section(name: `.debug_${string}`): Uint8Array {
    return this.dwarf.bytes(debugSection(this.dwarf, name.slice('.debug_'.length)));
  }

  /** A line program, the cursor behind its length; undefined where there are none. */
  lineProgram(offset: number): { cursor: Cursor; offsetSize: number } | undefined {
    const section = debugSection(this.dwarf, 'line');
    const size = section ? this.sectionSize(section) : 0;
    if (!section || size === 0) return undefined;
    const where = section.name;
    const head = this.dwarf.part(section, offset, Math.min(12, Math.max(0, size - offset)));
    const start: Cursor = new Cursor(head, 0, where, head.length, offset);
    let length = start.u32();
    let offsetSize = 4;
    if (length === 0xffff_ffff) {
      length = start.u64AsNumber();
      offsetSize = 8;
    }
    const from = offset + start.at;
    if (length > size - from) start.fail('line program goes on behind the section');
    const bytes = this.dwarf.part(section, from, length);
    return { cursor: new Cursor(bytes, 0, where, bytes.length, from), offsetSize };
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

  /** Notes that a unit has its bytes loaded, and unloads others where that are too many. */
  keep(unit: Unit): void {
    this.kept.add(unit);
    this.keptSize += unit.header.size;
    for (const oldest of this.kept) {
      if (this.keptSize <= keptBytes || oldest === unit) return;
      oldest.unload();
      this.kept.delete(oldest);
      this.keptSize -= oldest.header.size;
    }
  }

  /** Visits all units in the order of the file, reading many at once. What is visited may not keep the unit's bytes. */
  forEachUnit(visit: (unit: Unit) => void): void {
    const { units } = this;
    let memory = new Uint8Array(windowBytes);
    for (let first = 0; first < units.length; ) {
      const start = units[first] as Unit;
      let last = first;
      let size = start.header.size;
      const inTypes = start.header.offset >= this.typesBias;
      for (let next = units[last + 1]; next; next = units[last + 1]) {
        if (size + next.header.size > windowBytes || next.header.offset >= this.typesBias !== inTypes) break;
        size += next.header.size;
        last++;
      }
      if (size > memory.length) memory = new Uint8Array(size);
      const window = this.dwarf.partInto(memory.subarray(0, size), ...this.placeOf(start.header));
      for (let from = 0; first <= last; first++) {
        const unit = units[first] as Unit;
        unit.lend(window.subarray(from, from + unit.header.size));
        visit(unit);
        unit.unload();
        from += unit.header.size;
      }
    }
  }

  readUnit(header: UnitHeader): Uint8Array {
    return this.dwarf.part(...this.placeOf(header), header.size);
  }

  private placeOf(header: UnitHeader): [section: ElfSection, offset: number] {
    const inTypes = header.offset >= this.typesBias;
    const section = (inTypes ? this.typesSection : this.infoSection) as ElfSection;
    return [section, header.offset - (inTypes ? this.typesBias : 0)];
  }

  abbrevs(header: FormSizes & { abbrevOffset: number }): AbbrevTable {
    const { abbrevOffset, offsetSize, addressSize, version } = header;
    const sizes = `${offsetSize}/${addressSize}/${version <= 2}`;
    const key = `${abbrevOffset}/${sizes}`;
    let table = this.tables.get(key);
    if (!table) {
      const pool: AbbrevPool = this.pools.get(sizes) ?? new Map();
      this.pools.set(sizes, pool);
      table = readAbbrevs(new Cursor(this.section('.debug_abbrev'), abbrevOffset, '.debug_abbrev'), header, pool);
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
    return section.name.startsWith('.z') || section.flags & 0x800 ? this.dwarf.bytes(section).length : section.size;
  }

  private readHeaders(section: ElfSection | undefined, bias: number): UnitHeader[] {
    const headers: UnitHeader[] = [];
    if (!section) return headers;
    const end = this.sectionSize(section);
    this.tolerate(() => {
      for (let at = 0; at < end; ) {
        const bytes = this.dwarf.part(section, at, Math.min(maximumUnitHeader, end - at));
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
