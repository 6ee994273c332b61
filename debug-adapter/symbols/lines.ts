/** Line tables of all units: by address, by file and line. */
import type { Addresses, Range } from './addresses.ts';
import type { LineRange, SourceLine } from './api.ts';
import type { DebugInfo } from './debug-info.ts';
import type { ImageIndex } from './index/image-index.ts';
import { type LineHeader, readLineHeader } from './line-header.ts';
import { type LineTable, readLineTable, rowAt, rowFlags } from './line-table.ts';
import { matchSource } from './sources.ts';
import type { Unit } from './unit.ts';
import { UnitRanges } from './unit-ranges.ts';

/** Units of which the line tables are kept. */
const keptUnits = 128;

/** A row with a statement. */
export interface Statement {
  readonly distance: number;
  readonly unit: Unit;
  readonly source: SourceLine;
  /** Code of another file begins at its address, and it has none: gdb knows no such lines. */
  readonly isEmpty: boolean;
}

export class Lines {
  private readonly addresses: Addresses;
  private readonly unitRanges: UnitRanges;
  private readonly headers = new Map<Unit, LineHeader | undefined>();
  /** By the offset of the program, which units may share. */
  private readonly tables = new Map<number, LineTable>();

  constructor(
    private readonly info: DebugInfo,
    private readonly names: ImageIndex,
  ) {
    this.addresses = info.addresses;
    this.unitRanges = new UnitRanges(info, (unit) => this.tableOf(unit));
  }

  unitFor(distance: number): Unit | undefined {
    return this.unitRanges.unitFor(distance);
  }

  header(unit: Unit): LineHeader | undefined {
    if (!this.headers.has(unit)) remember(this.headers, unit, readLineHeader(unit));
    return this.headers.get(unit);
  }

  tableOf(unit: Unit): LineTable | undefined {
    const offset = unit.lineOffset;
    if (offset === undefined) return undefined;
    let table = this.tables.get(offset);
    if (!table) {
      const header = this.header(unit);
      if (!header) return undefined;
      table = readLineTable(header, this.addresses, (distance) => this.info.isLoaded(distance));
      remember(this.tables, offset, table);
    }
    return table;
  }

  /** The path behind a DW_AT_decl_file or call_file. */
  fileName(unit: Unit, index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.header(unit)?.files[index];
  }

  sources(): readonly string[] {
    return this.names.sources();
  }

  /** The sources that a client's path means, see {@link matchSource}. */
  match(path: string): string[] {
    return matchSource(path, this.sources());
  }

  /** Neighbouring rows of one line make one range, up to where another statement of the line begins after a break. */
  rangeAt(distance: number): LineRange | undefined {
    const unit = this.unitFor(distance);
    const table = unit && this.tableOf(unit);
    const found = table && rowAt(table, distance);
    if (!table || !found) return undefined;
    const { sequence } = found;
    const { line, file, flags, distance: distances } = table;
    let first = found.row;
    let high = found.row;
    const same = (row: number) => line[row] === line[first] && file[row] === file[first];
    const statement = (row: number) => ((flags[row] as number) & rowFlags.statement) !== 0;
    for (
      let next: number | undefined = high;
      next !== undefined && same(next);
      next = winner(table, high, sequence.last)
    ) {
      if (high !== found.row && statement(next) && !statement(first)) break;
      const address = distances[high] as number;
      while (high < sequence.last && distances[high] === address) high++;
    }
    for (let back = previous(table, first, sequence.first); back !== undefined && same(back); ) {
      if (statement(first) && !statement(back)) break;
      first = back;
      back = previous(table, first, sequence.first);
    }
    return {
      ...this.source(table, found.row),
      low: this.addresses.toGuest(distances[first] as number),
      high: this.addresses.toGuest(distances[high] as number),
      isStatement: statement(first),
    };
  }

  lineAt(distance: number): SourceLine | undefined {
    const unit = this.unitFor(distance);
    const table = unit && this.tableOf(unit);
    const found = table && rowAt(table, distance);
    return table && found && this.source(table, found.row);
  }

  /** Address of the first row in `range` that has `flag`. */
  firstRow(unit: Unit, range: Range, flag: number): number | undefined {
    const table = this.tableOf(unit);
    const found = table && rowAt(table, range.low);
    if (!table || !found) return undefined;
    for (let row = found.sequence.first; row < found.sequence.last; row++) {
      const distance = table.distance[row] as number;
      if (distance >= range.high) break;
      if (distance >= range.low && (table.flags[row] as number) & flag) return distance;
    }
    return undefined;
  }

  /** Address of the first row at or after `distance`, in its sequence. */
  nextRow(unit: Unit, distance: number): number | undefined {
    const table = this.tableOf(unit);
    const found = table && rowAt(table, distance);
    if (!table || !found) return undefined;
    for (let row = found.row; row < found.sequence.last; row++)
      if ((table.distance[row] as number) >= distance) return table.distance[row];
    return undefined;
  }

  /** All rows with statements of one source between two lines, both included: those of one table after the other. */
  *statements(source: string, from: number, to: number): Generator<readonly Statement[]> {
    const seen = new Set<LineTable>();
    for (const unit of this.names.unitsFor(source)) {
      const table = this.info.tolerate(() => this.tableOf(unit), undefined);
      if (!table || seen.has(table)) continue;
      seen.add(table);
      const found: Statement[] = [];
      const files = new Set(table.files.flatMap((path, index) => (path === source ? [index] : [])));
      for (const { first, last } of table.sequences) {
        for (let row = first; row < last; row++) {
          const line = table.line[row] as number;
          if (line < from || line > to || !files.has(table.file[row] as number)) continue;
          if (!((table.flags[row] as number) & rowFlags.statement)) continue;
          const isEmpty = isForAnother(table, row, last);
          found.push({ distance: table.distance[row] as number, unit, source: this.source(table, row), isEmpty });
        }
      }
      yield found;
    }
  }

  private source(table: LineTable, row: number): SourceLine {
    return {
      file: table.files[table.file[row] as number] ?? '',
      line: table.line[row] as number,
      column: table.column[row] as number,
    };
  }
}

/** Forgets what has been known longest where that is too much. */
function remember<Key, Value>(known: Map<Key, Value>, key: Key, value: Value): void {
  if (known.size >= keptUnits) known.delete(known.keys().next().value as Key);
  known.set(key, value);
}

/** Whether the address of `row` goes to code of another file at once, so that the row has none. */
function isForAnother(table: LineTable, row: number, end: number): boolean {
  for (let at = row + 1; at < end && table.distance[at] === table.distance[row]; at++)
    if (table.file[at] !== table.file[row]) return true;
  return false;
}

/** The row that counts for the address of `row`; undefined at the sequence's end. */
function winner(table: LineTable, row: number, end: number): number | undefined {
  if (row >= end) return undefined;
  let best = row;
  const statement = (at: number) => ((table.flags[at] as number) & rowFlags.statement) !== 0;
  for (let at = row; at < end && table.distance[at] === table.distance[row]; at++)
    if (statement(at) || !statement(best)) best = at;
  return best;
}

/** The row that counts for the code just before `row`'s address. */
function previous(table: LineTable, row: number, start: number): number | undefined {
  let at = row;
  while (at >= start && table.distance[at] === table.distance[row]) at--;
  if (at < start) return undefined;
  let low = at;
  while (low > start && table.distance[low - 1] === table.distance[at]) low--;
  return winner(table, low, at + 1);
}
