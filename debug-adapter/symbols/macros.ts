/** Preprocessor macros of a unit, as compilers note them with -g3: `.debug_macro`, DWARF 5, 6.3. */
import type { Macro } from './api.ts';
import { Cursor } from './bytes.ts';
import type { DebugInfo } from './debug-info.ts';
import { attribute } from './dwarf-constants.ts';
import type { Unit } from './unit.ts';

const section = '.debug_macro';
const op = {
  define: 1,
  undef: 2,
  startFile: 3,
  endFile: 4,
  defineStrp: 5,
  undefStrp: 6,
  import: 7,
  defineStrx: 0xb,
  undefStrx: 0xc,
} as const;

/** A unit of Linux has some ten thousand; more is damage. */
const maximumEntries = 1_000_000;
const maximumImports = 10_000;

export class Macros {
  private readonly byUnit = new Map<number, ReadonlyMap<string, string>>();

  constructor(private readonly info: DebugInfo) {}

  /** The definition that holds at the end of the unit. */
  find(name: string, unit: Unit): Macro | undefined {
    const definition = this.of(unit).get(name);
    return definition === undefined ? undefined : parseDefinition(definition);
  }

  private of(unit: Unit): ReadonlyMap<string, string> {
    let found = this.byUnit.get(unit.index);
    if (!found) {
      // In split DWARF 4 gcc has numbers of strings where offsets should be.
      const old = unit.skeleton ? undefined : unit.root.sectionOffset(attribute.gnuMacros);
      const offset = unit.root.sectionOffset(attribute.macros) ?? old;
      found = offset === undefined ? new Map() : new Reader(this.info, unit).read(offset);
      this.byUnit.set(unit.index, found);
    }
    return found;
  }
}

class Reader {
  /** What was defined last, by name; as it was written. */
  private readonly definitions = new Map<string, string>();
  private entries = 0;
  private imports = 0;
  /** Not one of those that are imported, of which alone packers of split DWARF may keep one. */
  private isOfUnit = false;
  /** What a file of split DWARF has beside the unit's own section. */
  private readonly others: readonly Uint8Array[];

  constructor(
    private readonly info: DebugInfo,
    private readonly unit: Unit,
  ) {
    this.others = unit.skeleton ? otherSections(unit) : [];
  }

  read(offset: number): ReadonlyMap<string, string> {
    this.readFrom(this.unit.section(section), offset);
    // Where something cannot be told, what holds at the end is not known of any.
    if (this.unit.skeleton && !(this.isOfUnit && this.imports === this.others.length)) this.definitions.clear();
    return this.definitions;
  }

  private readFrom(bytes: Uint8Array, offset: number): void {
    const cursor = new Cursor(bytes, offset, section);
    const version = cursor.u16();
    if (version !== 4 && version !== 5) cursor.fail(`macro information of version ${version} is not supported`);
    const flags = cursor.u8();
    const offsetSize = flags & 1 ? 8 : 4;
    if (flags & 2) {
      cursor.word(offsetSize);
      this.isOfUnit = true;
    }
    if (flags & 4) cursor.fail('macro information with operations of its own is not supported');
    for (let opcode = cursor.u8(); opcode !== 0; opcode = cursor.u8()) {
      if (++this.entries > maximumEntries) cursor.fail('too many macros');
      this.entry(opcode, cursor, offsetSize);
    }
  }

  private entry(opcode: number, cursor: Cursor, offsetSize: number): unknown {
    switch (opcode) {
      case op.define:
      case op.undef:
        cursor.uleb();
        return this.note(cursor.string(), opcode === op.define);
      case op.defineStrp:
      case op.undefStrp:
        cursor.uleb();
        return this.note(this.info.string('.debug_str', cursor.word(offsetSize)), opcode === op.defineStrp);
      case op.defineStrx:
      case op.undefStrx:
        cursor.uleb();
        return this.note(this.info.indexedString(this.unit, cursor.uleb()), opcode === op.defineStrx);
      case op.startFile:
        cursor.uleb();
        return cursor.uleb();
      case op.endFile:
        return undefined;
      case op.import: {
        if (++this.imports > maximumImports) cursor.fail('macro units import each other too often');
        return this.import(cursor.bytes, cursor.word(offsetSize));
      }
      default:
        return cursor.fail(`macro operation ${opcode} is not known`);
    }
  }

  /**
   * gcc leaves the offsets in files of split DWARF for a linker to fill in, which there is none for, and puts what is imported
   * into sections of its own, in the order of the imports, once each: with as many sections as imports, they are those.
   */
  private import(bytes: Uint8Array, offset: number): void {
    const imported = this.unit.skeleton ? this.others[this.imports - 1] : bytes;
    if (imported) this.readFrom(imported, this.unit.skeleton ? 0 : offset);
  }

  private note(text: string, defined: boolean): void {
    const name = /^[A-Za-z_]\w*/.exec(text)?.[0];
    if (name === undefined) return;
    if (defined) this.definitions.set(name, text);
    else this.definitions.delete(name);
  }
}

/** Sections with macros behind the first one of a file of split DWARF. In a package all are in one. */
function otherSections({ part: { elf } }: Unit): Uint8Array[] {
  const sections = elf.sections.filter(({ name }) => name === `${section}.dwo`);
  return sections.slice(1).map((each) => elf.bytes(each));
}

/** `NAME body`, or `NAME(a,b) body` without a blank before the parenthesis. */
function parseDefinition(text: string): Macro | undefined {
  const [, list, body = ''] = /^\w+(?:\(([^)]*)\))?(?:\s+(.*))?$/s.exec(text) ?? [];
  if (list === undefined) return { body };
  const parameters = list.split(',').map((parameter) => parameter.trim());
  return { body, parameters: parameters.filter((parameter) => parameter !== '') };
}
