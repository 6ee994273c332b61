/** `.debug_names`, as clang writes it: one table, or one for each object file, one behind the other. DWARF 5, 6.1.1. */
import type { DebugInfo } from '../debug-info.ts';
import type { Unit } from '../unit.ts';
import { type NameAbbrevs, nameEntries, readNameAbbrevs } from './debug-names-entries.ts';
import { readTableLayout, type TableLayout } from './debug-names-layout.ts';
import type { LinkedTable } from './linked-names.ts';
import type { NameKind } from './name-kinds.ts';
import { TableSection } from './table-section.ts';

/** Names of one bucket; with a hash for each they are a few. */
const mostInBucket = 4096;

export class DebugNames implements LinkedTable {
  private constructor(private readonly tables: readonly ObjectNames[]) {}

  /** Undefined where there are none, or with what is not known here. Throws `SymbolFileError` where they do not fit. */
  static of(info: DebugInfo): DebugNames | undefined {
    const section = TableSection.of(info, '.debug_names');
    if (!section) return undefined;
    const tables: ObjectNames[] = [];
    let units = 0;
    for (let at = 0; at < section.size; ) {
      const layout = readTableLayout(section, at, info);
      units += layout ? layout.units.length + layout.types.length : 0;
      if (!layout || units > info.units.length) return undefined;
      tables.push(new ObjectNames(info, section, layout));
      at = layout.end;
    }
    return tables.length > 0 ? new DebugNames(tables) : undefined;
  }

  get covered(): ReadonlySet<Unit> {
    return new Set(this.tables.flatMap(({ layout }) => [...layout.units, ...layout.types]));
  }

  *unitsNamed(name: string, kind: NameKind): Generator<Unit> {
    const text = Buffer.from(`${name}\0`, 'utf8');
    // Other letters are put into lower case by Unicode's table, of which writers may have different versions.
    if (text.some((byte) => byte >= 0x80)) return;
    const hash = hashOf(text.subarray(0, -1));
    for (const table of this.tables) yield* table.unitsNamed(text, hash, kind);
  }
}

class ObjectNames {
  private abbrevs: NameAbbrevs | undefined;

  constructor(
    private readonly info: DebugInfo,
    private readonly section: TableSection,
    readonly layout: TableLayout,
  ) {}

  *unitsNamed(name: Uint8Array, hash: number, kind: NameKind): Generator<Unit> {
    const { section, layout } = this;
    const { names, buckets, bucketsAt, hashesAt } = layout;
    const bucket = hash % buckets;
    const first = section.read(bucketsAt + 4 * bucket, bucketsAt + 4 * bucket + 4).u32();
    if (first === 0) return;
    const last = Math.min(names, first + mostInBucket);
    for (let index = first; index <= last; index++) {
      const other = section.read(hashesAt + 4 * (index - 1), hashesAt + 4 * index).u32();
      if (other % buckets !== bucket) return;
      if (other !== hash || !this.isNamed(index, name)) continue;
      yield* this.unitsOf(index, kind);
      return;
    }
  }

  private isNamed(index: number, name: Uint8Array): boolean {
    const { offsetSize, stringsAt } = this.layout;
    const at = this.offsetAt(stringsAt, index, offsetSize);
    const strings = this.info.section('.debug_str');
    return Buffer.compare(strings.subarray(at, at + name.length), name) === 0;
  }

  private *unitsOf(index: number, kind: NameKind): Generator<Unit> {
    const { section, layout } = this;
    const { units, types, abbrevsAt, poolAt, end } = layout;
    this.abbrevs ??= readNameAbbrevs(section.read(abbrevsAt, poolAt));
    const at = poolAt + this.offsetAt(layout.entriesAt, index, layout.offsetSize);
    for (const entry of nameEntries(section, at, end, this.abbrevs, kind)) {
      const isOfOneUnit = units.length === 1;
      const unit = entry.type !== undefined ? types[entry.type] : units[entry.unit ?? (isOfOneUnit ? 0 : -1)];
      if (unit) yield unit;
    }
  }

  private offsetAt(tableAt: number, index: number, size: number): number {
    const at = tableAt + size * (index - 1);
    return this.section.read(at, at + size).word(size);
  }
}

/** DWARF 5, 7.33: of the name with its letters in lower case. */
function hashOf(name: Uint8Array): number {
  let hash = 5381;
  for (const byte of name) {
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    hash = (Math.imul(hash, 33) + lower) >>> 0;
  }
  return hash;
}
