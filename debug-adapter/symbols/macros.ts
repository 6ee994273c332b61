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
      // Of split DWARF, compilers spread them over sections that nothing but a linker could put together.
      const offset = unit.skeleton
        ? undefined
        : (unit.root.sectionOffset(attribute.macros) ?? unit.root.sectionOffset(attribute.gnuMacros));
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

  constructor(
    private readonly info: DebugInfo,
    private readonly unit: Unit,
  ) {}

  read(offset: number): ReadonlyMap<string, string> {
    const cursor = new Cursor(this.info.section(section), offset, section);
    const version = cursor.u16();
    if (version !== 4 && version !== 5) cursor.fail(`macro information of version ${version} is not supported`);
    const flags = cursor.u8();
    const offsetSize = flags & 1 ? 8 : 4;
    if (flags & 2) cursor.word(offsetSize);
    if (flags & 4) cursor.fail('macro information with operations of its own is not supported');
    for (let opcode = cursor.u8(); opcode !== 0; opcode = cursor.u8()) {
      if (++this.entries > maximumEntries) cursor.fail('too many macros');
      this.entry(opcode, cursor, offsetSize);
    }
    return this.definitions;
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
        return this.read(cursor.word(offsetSize));
      }
      default:
        return cursor.fail(`macro operation ${opcode} is not known`);
    }
  }

  private note(text: string, defined: boolean): void {
    const name = /^[A-Za-z_]\w*/.exec(text)?.[0];
    if (name === undefined) return;
    if (defined) this.definitions.set(name, text);
    else this.definitions.delete(name);
  }
}

/** `NAME body`, or `NAME(a,b) body` without a blank before the parenthesis. */
function parseDefinition(text: string): Macro | undefined {
  const [, list, body = ''] = /^\w+(?:\(([^)]*)\))?(?:\s+(.*))?$/s.exec(text) ?? [];
  if (list === undefined) return { body };
  const parameters = list.split(',').map((parameter) => parameter.trim());
  return { body, parameters: parameters.filter((parameter) => parameter !== '') };
}
