/** The units of `.debug_info` (and DWARF 4's `.debug_types`) and the sections that their attributes point into. */
import { type AbbrevPool, type AbbrevTable, readAbbrevs } from './abbrev.ts';
import { Addresses, lastAtMost, type Range } from './addresses.ts';
import { SymbolFileError } from './api.ts';
import { Cursor, stringAt } from './bytes.ts';
import type { Die } from './die.ts';
import { ElfFile, sectionFlags } from './elf.ts';
import { PathPool } from './line-header.ts';
import { SplitDwarf } from './split-dwarf.ts';
import { maximumUnitHeader, readUnitHeader, Unit, type UnitHeader } from './unit.ts';
import { type DebugSectionName, debugSection, sectionSize, type UnitPart, unitPart } from './unit-part.ts';

const maximumProblems = 100;
/** Bytes of `.debug_info` that are read within a few milliseconds. */
export const smallImage = 2 * 1024 * 1024;
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
  /** `.debug_info` and `.debug_types` of the image. */
  private readonly parts: readonly UnitPart[];
  private split: SplitDwarf | undefined;
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
    this.parts = partsOf(dwarf);
    this.loaded = loadedRanges(elf, addresses);
  }

  close(): void {
    this.elf.close();
    if (this.dwarf !== this.elf) this.dwarf.close();
    this.split?.close();
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
    const own = this.parts.reduce((sum, { size }) => sum + size, 0);
    return own > smallImage ? own : this.units.reduce((sum, { header }) => sum + header.size, 0);
  }

  /** Whether the image has something there: what the linker left out of it keeps its DWARF, at address 0 or -1. */
  isLoaded(distance: number): boolean {
    return this.loaded.some((range) => distance >= range.low && distance < range.high);
  }

  /** Whole bytes of a debug section, of the image or beside a part of split DWARF; empty where there is none. */
  section(name: DebugSectionName, part?: UnitPart): Uint8Array {
    const elf = part?.elf ?? this.dwarf;
    return elf.bytes(debugSection(elf, name.slice('.debug_'.length), part?.suffix ?? ''));
  }

  /** A line program, the cursor behind its length; undefined where there are none. */
  lineProgram(offset: number): { cursor: Cursor; offsetSize: number } | undefined {
    const section = debugSection(this.dwarf, 'line');
    const size = section ? sectionSize(this.dwarf, section) : 0;
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
    if (!this.allUnits) {
      const own = this.parts.flatMap((part) => this.readHeaders(part).map((header) => ({ part, header })));
      const units = own.map(({ part, header }, index) => new Unit(this, header, part, index));
      this.split = new SplitDwarf(this, units);
      this.allUnits = [...units, ...this.split.units];
    }
    return this.allUnits;
  }

  /** The files of split DWARF, in the order of their units. */
  get splitFiles(): readonly ElfFile[] {
    return this.units.length > 0 ? (this.split?.files ?? []) : [];
  }

  /** Whether another unit has all that this one, a skeleton, stands for. */
  isReplaced(unit: Unit): boolean {
    return this.split?.fullUnits.has(unit) ?? false;
  }

  /** As {@link unitAt}; instead of a skeleton the unit that it stands for. */
  fullUnitAt(offset: number): Unit | undefined {
    const unit = this.unitAt(offset);
    return unit && (this.split?.fullUnits.get(unit) ?? unit);
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
      for (let next = units[last + 1]; next; next = units[last + 1]) {
        if (size + next.header.size > windowBytes || next.part !== start.part) break;
        size += next.header.size;
        last++;
      }
      if (size > memory.length) memory = new Uint8Array(size);
      const { elf, section, bias } = start.part;
      const window = elf.partInto(memory.subarray(0, size), section, start.header.offset - bias);
      for (let from = 0; first <= last; first++) {
        const unit = units[first] as Unit;
        unit.lend(window.subarray(from, from + unit.header.size));
        visit(unit);
        unit.unload();
        from += unit.header.size;
      }
    }
  }

  readUnit({ header, part: { elf, section, bias } }: Unit): Uint8Array {
    return elf.part(section, header.offset - bias, header.size);
  }

  abbrevs(unit: Unit): AbbrevTable {
    const { header, part } = unit;
    const { abbrevOffset, offsetSize, addressSize, version } = header;
    const sizes = `${offsetSize}/${addressSize}/${version <= 2}`;
    const key = `${part.suffix === '' ? 0 : part.bias}/${unit.startIn('.debug_abbrev') + abbrevOffset}/${sizes}`;
    let table = this.tables.get(key);
    if (!table) {
      const pool: AbbrevPool = this.pools.get(sizes) ?? new Map();
      this.pools.set(sizes, pool);
      table = readAbbrevs(new Cursor(unit.section('.debug_abbrev'), abbrevOffset, '.debug_abbrev'), header, pool);
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
    const offset = new Cursor(unit.section('.debug_str_offsets'), at, '.debug_str_offsets').word(offsetSize);
    return stringAt(unit.section('.debug_str'), offset);
  }

  indexedAddress(unit: Unit, index: number): bigint {
    const { addressSize } = unit.header;
    const at = unit.addrBase + index * addressSize;
    return new Cursor(this.section('.debug_addr'), at, '.debug_addr').unsigned(addressSize);
  }

  /** Headers of all units of a part, up to damage. */
  readHeaders({ elf, section, size: end, bias }: UnitPart): UnitHeader[] {
    const headers: UnitHeader[] = [];
    this.tolerate(() => {
      for (let at = 0; at < end; ) {
        const bytes = elf.part(section, at, Math.min(maximumUnitHeader, end - at));
        const cursor = new Cursor(bytes, 0, section.name, bytes.length, at);
        const header = readUnitHeader(cursor, at + bias, /types(\.dwo)?$/.test(section.name));
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

/** Entries are numbered from the start of `.debug_info`, and those of `.debug_types` behind. */
function partsOf(elf: ElfFile): UnitPart[] {
  const parts: UnitPart[] = [];
  for (const section of [debugSection(elf, 'info'), debugSection(elf, 'types')])
    if (section) parts.push(unitPart(elf, section, parts[0]?.size ?? 0));
  return parts;
}
