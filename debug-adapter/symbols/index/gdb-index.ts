/** `.gdb_index`, as gdb (`gdb-add-index`), gold and lld write it. gdb manual, "Index Section Format". */
import type { Cursor } from '../bytes.ts';
import type { DebugInfo } from '../debug-info.ts';
import type { Unit } from '../unit.ts';
import type { LinkedTable } from './linked-names.ts';
import type { NameKind } from './name-kinds.ts';
import { TableSection } from './table-section.ts';

const headerSize = 24;
const unitEntry = 16;
const typeEntry = 24;
const slotSize = 8;
/** Of a name's list; 0 is what gold writes where it does not know. Enumerators count as variables. */
const kindOf: Readonly<Record<NameKind, number | undefined>> = {
  type: 1,
  variable: 2,
  enumerator: 2,
  function: 3,
  variableDeclaration: undefined,
};
/** A table is at most three quarters full: longer searches are damage. */
const mostProbes = 4096;
/** Entries of a list for each unit: kinds, static and global. */
const mostRepeats = 16;

export class GdbIndex implements LinkedTable {
  private constructor(
    private readonly section: TableSection,
    /** Compilation units, then type units. */
    private readonly units: readonly Unit[],
    private readonly symbolsAt: number,
    private readonly poolAt: number,
  ) {}

  /** Undefined where there is none, or one of another version. Throws `SymbolFileError` where it does not fit the units. */
  static of(info: DebugInfo): GdbIndex | undefined {
    const section = TableSection.of(info, '.gdb_index');
    if (!section || section.size < headerSize) return undefined;
    const header = section.read(0, headerSize);
    const version = header.u32();
    if (version !== 7 && version !== 8) return undefined;
    const [unitsAt, typesAt, rangesAt, symbolsAt, poolAt] = [1, 2, 3, 4, 5].map(() => header.u32()) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const slots = (poolAt - symbolsAt) / slotSize;
    const isInOrder = headerSize <= unitsAt && unitsAt <= typesAt && typesAt <= rangesAt && rangesAt <= symbolsAt;
    if (!isInOrder || poolAt > section.size || !isPowerOfTwo(slots)) header.fail('parts of the table do not fit');
    const own = info.units.filter(({ part }) => part.suffix === '');
    // gold names another unit in place of a type's.
    if (version === 7 && own.some(({ isType }) => isType)) return undefined;
    const units = [...compilationUnits(section, unitsAt, typesAt, info), ...typeUnits(section, typesAt, rangesAt, own)];
    return new GdbIndex(section, units, symbolsAt, poolAt);
  }

  get covered(): ReadonlySet<Unit> {
    return new Set(this.units);
  }

  *unitsNamed(name: string, kind: NameKind): Generator<Unit> {
    const wanted = kindOf[kind];
    const listAt = wanted === undefined ? undefined : this.listOf(Buffer.from(`${name}\0`, 'utf8'));
    if (listAt === undefined) return;
    const length = this.section.read(listAt, listAt + 4);
    const count = length.u32();
    if (count > this.units.length * mostRepeats) throw length.error(`a list of ${count} units is too long`);
    const list = this.section.read(listAt + 4, listAt + 4 + 4 * count);
    while (list.left > 0) {
      const entry = list.u32();
      const of = (entry >>> 28) & 7;
      const unit = this.units[entry & 0xff_ffff];
      if (!unit) throw list.error('a unit that there is not');
      if (of === 0 || of === wanted) yield unit;
    }
  }

  /** Where the units of a name, which ends in a zero, are listed. */
  private listOf(name: Uint8Array): number | undefined {
    const { section, symbolsAt, poolAt } = this;
    const mask = (poolAt - symbolsAt) / slotSize - 1;
    const hash = hashOf(name.subarray(0, -1));
    const step = (Math.imul(hash, 17) & mask) | 1;
    let slot = hash & mask;
    for (let probes = Math.min(mask + 1, mostProbes); probes > 0; probes--) {
      const at = symbolsAt + slotSize * slot;
      const entry = section.read(at, at + slotSize);
      const [nameAt, listAt] = [entry.u32(), entry.u32()];
      if (nameAt === 0 && listAt === 0) return undefined;
      const there = section.readSome(poolAt + nameAt, name.length);
      if (Buffer.compare(there.bytes, name) === 0) return poolAt + listAt;
      slot = (slot + step) & mask;
    }
    return undefined;
  }
}

const isPowerOfTwo = (count: number): boolean => Number.isInteger(Math.log2(count)) && count >= 1;

function unitList(section: TableSection, start: number, end: number, most: number): Cursor {
  if (end - start > most) throw section.read(start, start).error('the table is of another build: it has more units');
  return section.read(start, end);
}

function compilationUnits(section: TableSection, start: number, end: number, info: DebugInfo): Unit[] {
  const list = unitList(section, start, end, info.units.length * unitEntry);
  const units: Unit[] = [];
  while (list.left >= unitEntry) {
    const [offset, size] = [list.u64AsNumber(), list.u64AsNumber()];
    const unit = info.unitAt(offset);
    if (unit?.part.suffix !== '' || unit.header.offset !== offset || unit.header.size !== size)
      throw list.error(`the table is of another build: there is no unit of ${size} bytes at 0x${offset.toString(16)}`);
    units.push(info.fullUnitAt(offset) ?? unit);
  }
  return units;
}

function typeUnits(section: TableSection, start: number, end: number, own: readonly Unit[]): Unit[] {
  const list = unitList(section, start, end, own.length * typeEntry);
  const bySignature = new Map(own.map((unit) => [unit.header.signature, unit]));
  const units: Unit[] = [];
  while (list.left >= typeEntry) {
    list.skip(8);
    const typeOffset = list.u64AsNumber();
    const unit = bySignature.get(list.u64());
    if (!unit || unit.header.typeOffset !== typeOffset)
      throw list.error('the table is of another build: no such type unit');
    units.push(unit);
  }
  return units;
}

/** Of the name in lower case, by which languages without case are served, too. */
function hashOf(name: Uint8Array): number {
  let hash = 0;
  for (const byte of name) {
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    hash = (Math.imul(hash, 67) + lower - 113) >>> 0;
  }
  return hash;
}
