/** Variables in scope and of the whole image, and where they live. DWARF 5, 4.1. */
import type { FrameContext, Place, SourceLine, StaticPlace, VariableInfo } from './api.ts';
import type { BtfTypes } from './btf-types.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute, tag } from './dwarf-constants.ts';
import { entryValue } from './entry-values.ts';
import { evaluateNumber, Unavailable } from './expression.ts';
import { type FrameHooks, type Frames, locationOrNone } from './frames.ts';
import type { ImageIndex } from './index/image-index.ts';
import type { Lines } from './lines.ts';
import { locationProgram } from './location-lists.ts';
import type { Scope, Scopes } from './scopes.ts';
import type { LocatedProgram, StaticPlaces } from './static-places.ts';
import type { SymbolTable } from './symtab.ts';
import type { Types } from './types.ts';
import type { Unit } from './unit.ts';

/** An entry value may need the caller's entry values, and so on up the stack; no deeper than this. */
const maximumCallers = 8;
/** DW_OP_addr, DW_OP_addrx, DW_OP_GNU_addr_index. */
const addressOperations: readonly (number | undefined)[] = [0x03, 0xa1, 0xfb];

export class Variables {
  /** The entry behind each variable handed out. */
  private readonly dies = new WeakMap<VariableInfo, Die>();

  constructor(
    private readonly info: DebugInfo,
    private readonly lines: Lines,
    private readonly scopes: Scopes,
    private readonly types: Types,
    private readonly frames: Frames,
    private readonly symbols: SymbolTable,
    private readonly names: ImageIndex,
    private readonly btf: BtfTypes | undefined,
  ) {}

  /** @param scopes One inline level's scopes, outermost first. */
  inScopes(scopes: readonly Scope[]): VariableInfo[] {
    return scopes.toReversed().flatMap((scope) => scope.variables.flatMap((die) => this.local(die)));
  }

  /** @param near A unit whose own variables are meant first, for as long as not all names are known. */
  globals(name: string, near?: Unit): VariableInfo[] {
    const defined = this.names.isWhole ? [...this.names.find(name, 'variable')] : this.seenFrom(near, name);
    const found = defined.length > 0 ? defined : [...this.names.find(name, 'variableDeclaration')].slice(0, 1);
    if (found.length === 0) return this.withoutDwarf(name);
    return found.map((die) => this.describe(die, isExternal(die) ? 'global' : 'static'));
  }

  /**
   * What a name means in a unit, as C has it: its own variable, else an external one. Tables of names lack static variables
   * that nothing is left of, so that of those of other units nothing is known.
   */
  private seenFrom(unit: Unit | undefined, name: string): Die[] {
    if (!unit) return [];
    const own = [...this.names.findIn(unit, name, 'variable')];
    if (own.length > 0) return own;
    const found = [...this.names.find(name, 'variable')];
    return found.every(isExternal) ? found : [];
  }

  /** A variable or function, of which BTF has the type and the symbol table the place. */
  private withoutDwarf(name: string): VariableInfo[] {
    const type = this.btf?.declared(name);
    return type && this.symbols.named(name).length > 0 ? [{ name, type, kind: 'global' }] : [];
  }

  async locate(variable: VariableInfo, frame: FrameContext): Promise<Place> {
    const die = this.dies.get(variable);
    if (!die) return this.symbolPlace(variable.name);
    const constant = die.bearer(attribute.constValue)?.value(attribute.constValue);
    if (constant?.kind === 'constant') return { kind: 'value', bytes: wordBytes(constant.value) };
    if (constant?.kind === 'block') return { kind: 'value', bytes: constant.bytes };
    const bearer = die.bearer(attribute.location);
    if (!bearer) return this.bySymbol(die);
    const program = locationProgram(bearer, attribute.location, this.info.addresses.fromGuest(frame.pc));
    if (!program) return { kind: 'optimized-out' };
    return locationOrNone(program, this.frames.context(frame, this.hooks(bearer.unit, frame, 0)));
  }

  /** Where it lives at an address in whatever frame. */
  staticPlace(variable: VariableInfo, pc: bigint, places: StaticPlaces): StaticPlace | undefined {
    const die = this.dies.get(variable);
    if (die?.bearer(attribute.constValue)) return undefined;
    const distance = this.info.addresses.fromGuest(pc);
    const bearer = die?.bearer(attribute.location);
    if (!bearer) {
      const place = die ? this.bySymbol(die) : this.symbolPlace(variable.name);
      return place.kind === 'memory' ? { kind: 'memory', offset: place.address } : undefined;
    }
    const program = locationProgram(bearer, attribute.location, distance);
    return (
      program && places.of({ program, unit: bearer.unit }, distance, () => this.frameBaseAt(bearer.unit, distance))
    );
  }

  private frameBaseAt(unit: Unit, distance: number): LocatedProgram | undefined {
    const holder = this.lines.unitFor(distance) ?? unit;
    const bearer = this.scopes.functionAt(holder, distance)?.bearer(attribute.frameBase);
    const program = bearer && locationProgram(bearer, attribute.frameBase, distance);
    return program && { program, unit: holder };
  }

  /** Something declared here and defined in assembly or by the linker. */
  private bySymbol(die: Die): Place {
    return isExternal(die) ? this.symbolPlace(die.name ?? '') : { kind: 'optimized-out' };
  }

  private symbolPlace(name: string): Place {
    const [symbol] = this.symbols.named(name);
    return symbol ? { kind: 'memory', address: symbol.address } : { kind: 'optimized-out' };
  }

  private hooks(unit: Unit, frame: FrameContext, callers: number): FrameHooks {
    return {
      offsetSize: unit.header.offsetSize,
      frameBase: () => this.frameBase(unit, frame, callers),
      entryValue: (of) => {
        if (callers >= maximumCallers) throw new Unavailable('the value on entry depends on too many callers');
        const asked = typeof of === 'number' ? unit.header.offset + of : of;
        return entryValue(asked, frame, {
          frames: this.frames,
          scopes: this.scopes,
          lines: this.lines,
          addresses: this.info.addresses,
          contextOf: (callerUnit, caller) => this.frames.context(caller, this.hooks(callerUnit, caller, callers + 1)),
        });
      },
      indexedAddress: (index) => this.info.indexedAddress(unit, index),
      baseType: (offset) => {
        const type = this.types.fromDie(unit.dieAt(unit.header.offset + offset));
        if (type.kind !== 'base' || type.encoding === 'float') return undefined;
        return { size: type.size, signed: type.encoding.startsWith('signed') };
      },
      procedure: (offset, inUnit) => {
        const die = this.info.dieAt(inUnit ? unit.header.offset + offset : offset);
        return locationProgram(die, attribute.location, this.info.addresses.fromGuest(frame.pc));
      },
    };
  }

  private async frameBase(unit: Unit, frame: FrameContext, callers: number): Promise<bigint> {
    const base = this.frameBaseAt(unit, this.info.addresses.fromGuest(frame.pc));
    if (!base) throw new Unavailable('the function has no frame base');
    const hooks = { ...this.hooks(base.unit, frame, callers), frameBase: noFrameBase };
    return evaluateNumber(base.program, this.frames.context(frame, hooks));
  }

  private local(die: Die): VariableInfo[] {
    const name = die.name;
    if (name === undefined) return [];
    if (die.tag === tag.formalParameter) return [this.describe(die, 'argument')];
    if (die.flag(attribute.declaration)) return this.globals(name).slice(0, 1);
    return [this.describe(die, isStatic(die) ? 'static' : 'local')];
  }

  private describe(die: Die, kind: VariableInfo['kind']): VariableInfo {
    const { types } = this;
    const declared = this.declaredAt(die);
    const variable: VariableInfo = {
      name: die.name ?? '',
      get type() {
        return types.typeOf(die);
      },
      kind,
      ...(declared ? { declared } : {}),
    };
    this.dies.set(variable, die);
    return variable;
  }

  declaredAt(die: Die): SourceLine | undefined {
    const bearer = die.bearer(attribute.declLine);
    if (!bearer) return undefined;
    const file = this.lines.fileName(bearer.unit, bearer.bearer(attribute.declFile)?.number(attribute.declFile));
    const line = bearer.number(attribute.declLine);
    if (file === undefined || line === undefined) return undefined;
    return { file, line, column: bearer.number(attribute.declColumn) ?? 0 };
  }
}

const noFrameBase = (): never => {
  throw new Unavailable('a frame base that needs itself');
};

const isExternal = (die: Die): boolean => die.bearer(attribute.external)?.flag(attribute.external) ?? false;

function isStatic(die: Die): boolean {
  const program = die.bearer(attribute.location)?.block(attribute.location);
  return program !== undefined && addressOperations.includes(program[0]);
}

function wordBytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}
