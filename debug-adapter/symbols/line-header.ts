/** Headers of line number programs: the instruction set's parameters and the file names. DWARF 5, 6.2.4. */
import { posix } from 'node:path';
import { Cursor } from './bytes.ts';
import { form } from './dwarf-constants.ts';
import { readForm } from './forms.ts';
import type { Unit } from './unit.ts';

export interface LineHeader {
  readonly minimumInstructionLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  readonly operandCounts: Uint8Array;
  readonly addressSize: number;
  /** Normalised paths, by the file register's value. Index 0 is empty before DWARF 5. */
  readonly files: readonly string[];
  /** The instructions. */
  readonly program: Cursor;
}

const contentType = { path: 1, directoryIndex: 2 } as const;

/** The header of a unit's line program; undefined for a unit without one. */
export function readLineHeader(unit: Unit): LineHeader | undefined {
  const offset = unit.lineOffset;
  const section = unit.info.section('.debug_line');
  if (offset === undefined || section.length === 0) return undefined;
  const start: Cursor = new Cursor(section, offset, '.debug_line');
  let length = start.u32();
  let offsetSize = 4;
  if (length === 0xffff_ffff) {
    length = start.u64AsNumber();
    offsetSize = 8;
  }
  if (length > start.left) start.fail('line program goes on behind the section');
  const cursor: Cursor = new Cursor(section, start.at, '.debug_line', start.at + length);
  const version = cursor.u16();
  if (version < 2 || version > 5) cursor.fail(`line program version ${version} is not supported`);
  let addressSize = unit.header.addressSize;
  if (version >= 5) {
    addressSize = cursor.u8();
    cursor.skip(1);
  }
  const headerLength = cursor.word(offsetSize);
  if (headerLength > cursor.left) cursor.fail('line program header goes on behind its program');
  const programAt = cursor.at + headerLength;
  const minimumInstructionLength = cursor.u8();
  if (version >= 4) cursor.skip(1);
  const defaultIsStatement = cursor.u8() !== 0;
  const lineBase = cursor.i8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  if (lineRange === 0 || opcodeBase === 0) cursor.fail('line program header has a line range or opcode base of 0');
  const operandCounts = cursor.block(opcodeBase - 1);
  const files = version >= 5 ? readTables(cursor, unit) : readOldTables(cursor, unit);
  const program = new Cursor(section, programAt, '.debug_line', cursor.end);
  return {
    minimumInstructionLength,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    addressSize,
    files,
    program,
  };
}

function join(...parts: readonly string[]): string {
  let path = '';
  for (const part of parts) path = part.startsWith('/') || path === '' ? part : `${path}/${part}`;
  return path === '' ? '' : posix.normalize(path);
}

function readOldTables(cursor: Cursor, unit: Unit): string[] {
  const directories = [unit.directory];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) directories.push(join(unit.directory, name));
  const files = [''];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) {
    const directory = directories[cursor.uleb()] ?? unit.directory;
    cursor.uleb();
    cursor.uleb();
    files.push(join(directory, name));
  }
  return files;
}

interface Entry {
  readonly path: string;
  readonly directory: number;
}

function readTables(cursor: Cursor, unit: Unit): string[] {
  const [own, ...others] = readEntries(cursor, unit);
  // Directory 0 is the compilation directory itself, even where a prefix map made it relative.
  const base = own?.path ?? unit.directory;
  const directories = [base, ...others.map((entry) => join(base, entry.path))];
  return readEntries(cursor, unit).map((entry) => join(directories[entry.directory] ?? base, entry.path));
}

function readEntries(cursor: Cursor, unit: Unit): Entry[] {
  const formats = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
  const count = cursor.uleb();
  if (count > cursor.left || (formats.length === 0 && count > 0)) cursor.fail(`table of ${count} names does not fit`);
  const entries: Entry[] = [];
  for (let index = 0; index < count; index++) {
    let path = '';
    let directory = 0;
    for (const format of formats) {
      if (format.form === form.implicitConst) cursor.fail('implicit constant in a file table');
      const value = readForm(cursor, format.form, 0n, unit);
      if (format.content === contentType.path && value.kind === 'string') path = value.text;
      if (format.content === contentType.directoryIndex && value.kind === 'constant') directory = Number(value.value);
    }
    entries.push({ path, directory });
  }
  return entries;
}
