/** {@link SymbolIndex} over one ELF file. */
import type { Addresses } from './addresses.ts';
import type {
  BreakpointPlace,
  CallerRegisters,
  FrameContext,
  FunctionInfo,
  ImageSymbol,
  InlineLevel,
  LineRange,
  Place,
  SourceLine,
  SymbolIndex,
  Type,
  VariableInfo,
} from './api.ts';
import { CallFrames } from './cfi.ts';
import { type DebugInfo, openDebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute, tag } from './dwarf-constants.ts';
import { type ElfFile, sectionFlags } from './elf.ts';
import { Unavailable } from './expression.ts';
import { Frames } from './frames.ts';
import { ImageIndex, type IndexOptions } from './index/image-index.ts';
import { Lines } from './lines.ts';
import { Places } from './places.ts';
import { type Scope, Scopes } from './scopes.ts';
import { SymbolTable } from './symtab.ts';
import { Types } from './types.ts';
import type { Unit } from './unit.ts';
import { Variables } from './variables.ts';

/** An index that holds its file open until it is closed. */
export interface OpenSymbols extends SymbolIndex {
  /** What was found damaged so far: the parts of the file that are left out. */
  readonly problems: readonly string[];
  close(): void;
}

/**
 * Opens an ELF file. Headers are checked now, the rest is read when it is asked for: what then proves to be damaged is
 * left out and noted in {@link OpenSymbols.problems}. Rejects with {@link SymbolFileError} for a file that is not an x86
 * ELF file, and with the system's error for one that cannot be opened.
 */
export async function openSymbols(path: string, options: IndexOptions = {}): Promise<OpenSymbols> {
  return new ElfSymbols(openDebugInfo(path), options);
}

const tagOfKind = { struct: tag.structureType, union: tag.unionType, enum: tag.enumerationType } as const;

class ElfSymbols implements OpenSymbols {
  readonly path: string;
  readonly entry: bigint;
  readonly machine: 'x86-64' | 'i386';
  readonly sections: SymbolIndex['sections'];
  private readonly addresses: Addresses;
  private readonly scopes = new Scopes();
  private readonly lines: Lines;
  private readonly types: Types;
  private readonly frames: Frames;
  private readonly variables: Variables;
  private readonly places: Places;
  private readonly symbols: SymbolTable;
  private readonly names: ImageIndex;
  private readonly elf: ElfFile;

  constructor(
    private readonly info: DebugInfo,
    options: IndexOptions,
  ) {
    const { elf } = info;
    this.elf = elf;
    this.path = elf.path;
    this.entry = elf.entry;
    this.machine = elf.machine;
    this.sections = elf.sections
      .filter((section) => section.flags & sectionFlags.alloc && section.size > 0)
      .map(({ name, address, size }) => ({ name, address, size: BigInt(size) }));
    this.addresses = info.addresses;
    this.symbols = new SymbolTable(elf, this.addresses);
    this.names = new ImageIndex(info, (name) => this.unitsOfSymbol(name), options);
    this.lines = new Lines(info, this.names);
    this.types = new Types(this.info, (name, wanted) => this.definition(name, wanted));
    this.frames = new Frames(this.info, new CallFrames(this.info));
    this.variables = new Variables(
      this.info,
      this.lines,
      this.scopes,
      this.types,
      this.frames,
      this.symbols,
      this.names,
    );
    this.places = new Places(this.info, this.lines, this.scopes, this.symbols, this.names);
  }

  get problems(): readonly string[] {
    return this.info.problems;
  }

  get indexed(): Promise<void> {
    return this.names.ready;
  }

  close(): void {
    void this.names.close();
    this.elf.close();
  }

  symbolAt(address: bigint): ImageSymbol | undefined {
    return this.symbols.at(this.addresses.toDistance(address));
  }

  symbolsNamed(name: string): ImageSymbol[] {
    return this.symbols.named(name);
  }

  namesWithPrefix(prefix: string, limit: number): string[] {
    return this.symbols.withPrefix(prefix, limit);
  }

  sources(): readonly string[] {
    return this.info.tolerate(() => this.lines.sources(), []);
  }

  lineAt(pc: bigint): LineRange | undefined {
    return this.info.tolerate(() => this.lines.rangeAt(this.addresses.toDistance(pc)), undefined);
  }

  placesFor(file: string, line: number): BreakpointPlace[] {
    return this.info.tolerate(() => this.places.forLine(file, line), []);
  }

  linesWithCode(file: string, first: number, last: number): number[] {
    return this.info.tolerate(() => this.places.linesWithCode(file, first, last), []);
  }

  placesForFunction(name: string): BreakpointPlace[] {
    return this.info.tolerate(() => this.places.forFunction(name), []);
  }

  functionAt(pc: bigint): FunctionInfo | undefined {
    return this.info.tolerate(() => {
      const distance = this.addresses.toDistance(pc);
      const unit = this.lines.unitFor(distance);
      const die = unit && this.scopes.functionAt(unit, distance);
      return die && this.describe(this.scopes.tree(die));
    }, undefined);
  }

  inlineLevels(pc: bigint): InlineLevel[] {
    return this.info.tolerate(() => {
      const levels = this.levelsAt(pc);
      return levels.map((scopes, level) => {
        const scope = scopes[0] as Scope;
        const inner = levels[level - 1]?.[0];
        const line = inner ? this.callOf(inner) : this.lines.lineAt(this.addresses.toDistance(pc));
        return { function: this.describe(scope), ...(line ? { line } : {}), inlined: scope.kind === 'inlined' };
      });
    }, []);
  }

  variablesAt(pc: bigint, level: number): VariableInfo[] {
    return this.info.tolerate(() => this.variables.inScopes(this.levelsAt(pc)[level] ?? []), []);
  }

  globals(name: string): VariableInfo[] {
    return this.info.tolerate(() => this.variables.globals(name), []);
  }

  typeNamed(name: string, kind?: 'struct' | 'union' | 'enum'): Type | undefined {
    return this.info.tolerate(() => {
      const found = [...this.names.find(name, 'type')];
      const die = kind
        ? found.find((each) => each.tag === tagOfKind[kind] || (kind === 'struct' && each.tag === tag.classType))
        : (found.find((each) => each.tag === tag.typedef || each.tag === tag.baseType) ?? found[0]);
      return die && this.types.fromDie(die);
    }, undefined);
  }

  enumerator(name: string): { type: Type; value: bigint } | undefined {
    return this.info.tolerate(() => {
      for (const die of this.names.find(name, 'enumerator')) {
        const type = this.types.fromDie(die);
        const found = type.kind === 'enum' && type.enumerators.find((each) => each.name === name);
        if (found) return { type, value: found.value };
      }
      return undefined;
    }, undefined);
  }

  async locate(variable: VariableInfo, frame: FrameContext): Promise<Place> {
    try {
      return await this.variables.locate(variable, frame);
    } catch (error) {
      return this.info.note(error, { kind: 'optimized-out' });
    }
  }

  async unwind(frame: FrameContext): Promise<CallerRegisters | undefined> {
    try {
      return await this.frames.unwind(frame);
    } catch (error) {
      return error instanceof Unavailable ? undefined : this.info.note(error, undefined);
    }
  }

  /** Units with the code that `.symtab` gives a name to. */
  private unitsOfSymbol(name: string): Unit[] {
    return this.symbols
      .named(name)
      .flatMap(({ address }) => this.lines.unitFor(this.addresses.toDistance(address)) ?? []);
  }

  private definition(name: string, wanted: number): Die | undefined {
    for (const die of this.names.find(name, 'type')) if (die.tag === wanted) return die;
    return undefined;
  }

  /** Scopes of each inline level, innermost level first, each from its function inwards. */
  private levelsAt(pc: bigint): Scope[][] {
    const distance = this.addresses.toDistance(pc);
    const unit = this.lines.unitFor(distance);
    const levels: Scope[][] = [];
    for (const scope of unit ? this.scopes.pathAt(unit, distance) : []) {
      if (scope.kind === 'block') levels[0]?.push(scope);
      else levels.unshift([scope]);
    }
    return levels;
  }

  private callOf({ die }: Scope): SourceLine | undefined {
    const file = this.lines.fileName(die.unit, die.number(attribute.callFile));
    const line = die.number(attribute.callLine);
    if (file === undefined || line === undefined) return undefined;
    return { file, line, column: die.number(attribute.callColumn) ?? 0 };
  }

  private describe({ die, ranges }: Scope): FunctionInfo {
    const { types, addresses } = this;
    const declared = this.variables.declaredAt(die);
    return {
      name: die.name ?? '',
      low: addresses.toAddress(Math.min(...ranges.map((range) => range.low))),
      high: addresses.toAddress(Math.max(...ranges.map((range) => range.high))),
      ranges: ranges.map(({ low, high }) => ({ low: addresses.toAddress(low), high: addresses.toAddress(high) })),
      ...(declared ? { declared } : {}),
      get returns() {
        return types.typeOf(die);
      },
    };
  }
}
