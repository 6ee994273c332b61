/** Line number programs and the rows that they make. DWARF 5, 6.2.2 and 6.2.5. */
import { type Addresses, lastAtMost } from './addresses.ts';
import type { LineHeader } from './line-header.ts';

export const rowFlags = { statement: 1, endOfSequence: 2, prologueEnd: 4 } as const;

const standard = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  setColumn: 5,
  negateStatement: 6,
  setBasicBlock: 7,
  constAddPc: 8,
  fixedAdvancePc: 9,
  setPrologueEnd: 10,
} as const;
const extended = { endSequence: 1, setAddress: 2, setDiscriminator: 4 } as const;

/** Rows of contiguous machine code, `first` to `last` inclusive; `last` ends the sequence. */
export interface Sequence {
  readonly low: number;
  readonly high: number;
  readonly first: number;
  readonly last: number;
}

/** All rows of one line program, by sequence in the order of addresses, in columns. */
export interface LineTable {
  readonly files: readonly string[];
  readonly sequences: readonly Sequence[];
  readonly distance: Float64Array;
  readonly line: Uint32Array;
  readonly file: Uint32Array;
  readonly column: Uint16Array;
  readonly flags: Uint8Array;
}

class Rows {
  length = 0;
  distance = new Float64Array(256);
  line = new Uint32Array(256);
  file = new Uint32Array(256);
  column = new Uint16Array(256);
  flags = new Uint8Array(256);

  add(distance: number, line: number, file: number, column: number, flags: number): void {
    if (this.length === this.line.length) this.grow();
    const at = this.length++;
    this.distance[at] = distance;
    this.line[at] = line;
    this.file[at] = file;
    this.column[at] = Math.min(column, 0xffff);
    this.flags[at] = flags;
  }

  private grow(): void {
    const larger = <T extends Float64Array | Uint32Array | Uint16Array | Uint8Array>(into: T, from: T): T => {
      into.set(from);
      return into;
    };
    const size = this.length * 2;
    this.distance = larger(new Float64Array(size), this.distance);
    this.line = larger(new Uint32Array(size), this.line);
    this.file = larger(new Uint32Array(size), this.file);
    this.column = larger(new Uint16Array(size), this.column);
    this.flags = larger(new Uint8Array(size), this.flags);
  }
}

/** Runs a program; sequences that the linker threw away (`isLoaded` says no to their start) are left out. */
export function readLineTable(
  header: LineHeader,
  addresses: Addresses,
  isLoaded: (distance: number) => boolean,
): LineTable {
  const rows = new Rows();
  const { minimumInstructionLength: unitLength, opcodeBase, lineBase, lineRange } = header;
  const cursor = header.program();
  const sequences: Sequence[] = [];
  const first = header.defaultIsStatement ? rowFlags.statement : 0;
  let distance = 0;
  let line = 1;
  let file = 1;
  let column = 0;
  let flags = first;
  let discriminator = 0;
  /** The line has had several blocks of code, told apart by discriminators. */
  let inBlocks = false;
  /** What was emitted last, and whether a statement begins there. */
  const last = { line: 0, file: 0, distance: -1, statement: false };
  let sequenceAt = 0;
  const reset = () => {
    distance = addresses.toDistance(0n);
    line = 1;
    file = 1;
    column = 0;
    flags = first;
    discriminator = 0;
    inBlocks = false;
    last.line = 0;
    last.distance = -1;
    sequenceAt = rows.length;
  };
  const emit = () => {
    const here = distance === last.distance;
    const isStatement = (flags & rowFlags.statement) !== 0;
    const elsewhere = file !== last.file;
    // As in gdb, what is left out counts with the row before it: line 0, code that the compiler can ascribe to no line; more
    // of another file where a statement begins; another block of the same line.
    const isLost = line === 0 || (elsewhere && here && !isStatement && last.statement);
    if (!isLost && (elsewhere || line !== last.line || !inBlocks)) rows.add(distance, line, file, column, flags);
    if (!isLost) {
      last.line = line;
      last.file = file;
    }
    last.statement = isStatement || (here && last.statement);
    last.distance = distance;
    flags &= rowFlags.statement;
    discriminator = 0;
  };
  const advanceLine = (by: number) => {
    line = Math.max(0, line + by);
    if (by !== 0) inBlocks = discriminator !== 0;
  };
  reset();
  while (cursor.left > 0) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      distance += Math.floor(adjusted / lineRange) * unitLength;
      advanceLine(lineBase + (adjusted % lineRange));
      emit();
      continue;
    }
    switch (opcode) {
      case 0: {
        const length = cursor.uleb();
        const next = cursor.at + length;
        if (length === 0 || length > cursor.left) cursor.fail('extended opcode has a wrong length');
        const code = cursor.u8();
        if (code === extended.endSequence) {
          rows.add(distance, 0, 0, 0, rowFlags.endOfSequence);
          addSequence(rows, sequences, sequenceAt, isLoaded);
          reset();
        } else if (code === extended.setAddress) distance = addresses.toDistance(cursor.unsigned(length - 1));
        else if (code === extended.setDiscriminator) {
          discriminator = cursor.uleb();
          inBlocks ||= discriminator !== 0;
        }
        cursor.at = next;
        break;
      }
      case standard.copy:
        emit();
        break;
      case standard.advancePc:
        distance += cursor.uleb() * unitLength;
        break;
      case standard.advanceLine:
        advanceLine(cursor.sleb());
        break;
      case standard.setFile:
        file = cursor.uleb();
        break;
      case standard.setColumn:
        column = cursor.uleb();
        break;
      case standard.negateStatement:
        flags ^= rowFlags.statement;
        break;
      case standard.setBasicBlock:
        break;
      case standard.constAddPc:
        distance += Math.floor((255 - opcodeBase) / lineRange) * unitLength;
        break;
      case standard.fixedAdvancePc:
        distance += cursor.u16();
        break;
      case standard.setPrologueEnd:
        flags |= rowFlags.prologueEnd;
        break;
      default:
        for (let operands = header.operandCounts[opcode - 1] ?? 0; operands > 0; operands--) cursor.ulebBig();
    }
  }
  sequences.sort((a, b) => a.low - b.low);
  const { distance: distances, line: lines, file: files, column: columns, flags: allFlags } = rows;
  return {
    files: header.files,
    sequences,
    distance: distances,
    line: lines,
    file: files,
    column: columns,
    flags: allFlags,
  };
}

/** Takes the rows from `first` on as a sequence; one whose addresses go backwards cannot be searched and is dropped. */
function addSequence(rows: Rows, sequences: Sequence[], first: number, isLoaded: (distance: number) => boolean): void {
  const last = rows.length - 1;
  const low = rows.distance[first] as number;
  const high = rows.distance[last] as number;
  let ascending = low < high && isLoaded(low);
  for (let row = first; ascending && row < last; row++)
    ascending = (rows.distance[row] as number) <= (rows.distance[row + 1] as number);
  if (ascending) sequences.push({ low, high, first, last });
  else rows.length = first;
}

/**
 * The row whose code covers `distance`. Of several rows at one address the last counts, but a row with a statement is
 * taken before one without, as gdb does.
 */
export function rowAt(table: LineTable, distance: number): { row: number; sequence: Sequence } | undefined {
  const { sequences } = table;
  const sequence = sequences[lastAtMost(sequences.length, (at) => (sequences[at] as Sequence).low, distance)];
  if (!sequence || distance >= sequence.high) return undefined;
  const count = sequence.last - sequence.first;
  const row = sequence.first + lastAtMost(count, (at) => table.distance[sequence.first + at] as number, distance);
  for (let same = row; same >= sequence.first && table.distance[same] === table.distance[row]; same--) {
    if ((table.flags[same] as number) & rowFlags.statement) return { row: same, sequence };
  }
  return { row, sequence };
}
