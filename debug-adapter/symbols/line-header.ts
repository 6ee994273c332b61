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
  /** The instructions, from the first on, each time. */
  readonly program: () => Cursor;
}

const contentType = { path: 1, directoryIndex: 2 } as const;

/** The header of a unit's line program; undefined for a unit without one. */
export function readLineHeader(unit: Unit): LineHeader | undefined {
  const offset = unit.lineOffset;
  const program = offset === undefined ? undefined : unit.info.lineProgram(offset);
  if (!program) return undefined;
  const { cursor, offsetSize } = program;
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
  const files = version >= 5 ? readTables(cursor, unit, offsetSize) : readOldTables(cursor, unit);
  const instructions = () => new Cursor(cursor.bytes, programAt, cursor.where, cursor.end, cursor.origin);
  return {
    minimumInstructionLength,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    addressSize,
    files,
    program: instructions,
  };
}

/** Paths and the names that they are made of: the units of one image repeat the same few thousand. */
export class PathPool {
  private readonly names = new Map<number, string>();
  private readonly joined = new Map<string, Map<string, string>>();

  /** @param read Reads the string at an offset of `.debug_line_str`. */
  constructor(private readonly read: (offset: number) => string) {}

  lineString(offset: number): string {
    let name = this.names.get(offset);
    if (name === undefined) {
      name = this.read(offset);
      this.names.set(offset, name);
    }
    return name;
  }

  join(directory: string, name: string): string {
    let inDirectory = this.joined.get(directory);
    if (!inDirectory) {
      inDirectory = new Map();
      this.joined.set(directory, inDirectory);
    }
    let path = inDirectory.get(name);
    if (path === undefined) {
      path = join(directory, name);
      inDirectory.set(name, path);
    }
    return path;
  }
}

function join(directory: string, name: string): string {
  const path = name.startsWith('/') || directory === '' ? name : `${directory}/${name}`;
  return path === '' ? '' : posix.normalize(path);
}

function readOldTables(cursor: Cursor, unit: Unit): string[] {
  const { paths } = unit.info;
  const own = unit.directory;
  const directories = [own];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) directories.push(paths.join(own, name));
  const files = [''];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) {
    const directory = directories[cursor.uleb()] ?? own;
    cursor.uleb();
    cursor.uleb();
    files.push(paths.join(directory, name));
  }
  return files;
}

interface Entries {
  readonly paths: string[];
  readonly directories: number[];
}

function readTables(cursor: Cursor, unit: Unit, offsetSize: number): string[] {
  const { paths } = unit.info;
  const [own, ...others] = readEntries(cursor, unit, offsetSize).paths;
  // Directory 0 is the compilation directory itself, even where a prefix map made it relative.
  const base = own ?? unit.directory;
  const directories = [base, ...others.map((path) => paths.join(base, path))];
  const files = readEntries(cursor, unit, offsetSize);
  return files.paths.map((path, index) => paths.join(directories[files.directories[index] ?? 0] ?? base, path));
}

function readEntries(cursor: Cursor, unit: Unit, offsetSize: number): Entries {
  const formats = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
  const count = cursor.uleb();
  if (count > cursor.left || (formats.length === 0 && count > 0)) cursor.fail(`table of ${count} names does not fit`);
  const paths: string[] = [];
  const directories: number[] = [];
  for (let index = 0; index < count; index++) {
    let path = '';
    let directory = 0;
    for (const format of formats) {
      if (format.form === form.implicitConst) cursor.fail('implicit constant in a file table');
      if (format.content === contentType.path) path = readPath(cursor, format.form, unit, offsetSize);
      else if (format.content === contentType.directoryIndex) directory = readIndex(cursor, format.form, unit);
      else readForm(cursor, format.form, 0n, unit);
    }
    paths.push(path);
    directories.push(directory);
  }
  return { paths, directories };
}

/** @param offsetSize The program's own: assemblers write 32-bit programs for 64-bit units. */
function readPath(cursor: Cursor, code: number, unit: Unit, offsetSize: number): string {
  if (code === form.lineStrp) return unit.info.paths.lineString(cursor.word(offsetSize));
  if (code === form.strp) return unit.info.string('.debug_str', cursor.word(offsetSize));
  const value = readForm(cursor, code, 0n, unit);
  return value.kind === 'string' ? value.text : '';
}

function readIndex(cursor: Cursor, code: number, unit: Unit): number {
  if (code === form.udata) return cursor.uleb();
  const value = readForm(cursor, code, 0n, unit);
  return value.kind === 'constant' ? Number(value.value) : 0;
}
