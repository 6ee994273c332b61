/** {@link SymbolIndex} over an ELF file and its DWARF. */
import type { Addresses } from './addresses.ts';
import type {
  BreakpointPlace,
  CallerRegisters,
  FrameContext,
  FunctionInfo,
  ImageSymbol,
  InlineLevel,
  LineRange,
  Macro,
  OpenSymbols,
  Place,
  SourceLine,
  StaticPlace,
  SymbolIndex,
  Type,
  VariableInfo,
} from './api.ts';
import { BtfTypes } from './btf-types.ts';
import { CallFrames } from './cfi.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute, tag } from './dwarf-constants.ts';
import { type ElfFile, sectionFlags } from './elf.ts';
import { Unavailable } from './expression.ts';
import { Frames } from './frames.ts';
import { parseFunctionName } from './function-name.ts';
import { ImageIndex, type IndexOptions } from './index/image-index.ts';
import { LinkedNames } from './index/linked-names.ts';
import { Lines } from './lines.ts';
import { Macros } from './macros.ts';
import { OrcTable } from './orc.ts';
import { Places } from './places.ts';
import { steppedInto } from './prologue.ts';
import { readableName } from './readable-name.ts';
import { type Scope, Scopes } from './scopes.ts';
import { hasDwarf } from './separate-debug.ts';
import { inSlices, type Sliced } from './slices.ts';
import { StaticPlaces } from './static-places.ts';
import { SymbolTable } from './symtab.ts';
import { ENTRY_BYTES, tracerCallEnd } from './traced-entry.ts';
import { Types } from './types.ts';
import type { Unit } from './unit.ts';
import { Variables } from './variables.ts';

const tagOfKind = { struct: tag.structureType, union: tag.unionType, enum: tag.enumerationType } as const;

export class ElfSymbols implements OpenSymbols {
  readonly path: string;
  readonly machine: 'x86-64' | 'i386';
  private readonly addresses: Addresses;
  private readonly scopes = new Scopes();
  private readonly lines: Lines;
  private readonly types: Types;
  private readonly frames: Frames;
  private readonly macros: Macros;
  private readonly staticPlaces: StaticPlaces;
  private readonly variables: Variables;
  private readonly places: Places;
  private readonly symbols: SymbolTable;
  private readonly names: ImageIndex;
  /** Where there is no DWARF. */
  private readonly btf: BtfTypes | undefined;
  /** Null where the image has none. */
  private orc: OrcTable | null | undefined;
  private readonly elf: ElfFile;
  private isClosed = false;

  constructor(
    private readonly info: DebugInfo,
    options: IndexOptions,
    readonly triedDebugFiles: readonly string[],
  ) {
    const { elf, dwarf } = info;
    this.elf = elf;
    this.path = elf.path;
    this.machine = elf.machine;
    this.addresses = info.addresses;
    this.symbols = SymbolTable.ofElf(dwarf.section('.symtab') ? dwarf : elf, this.addresses);
    const linked = new LinkedNames(info);
    this.names = new ImageIndex(
      info,
      (name, kind) => [...linked.unitsNamed(name, kind), ...(kind === 'function' ? this.unitsOfSymbol(name) : [])],
      options,
    );
    this.btf = hasDwarf(dwarf) ? undefined : BtfTypes.of(info);
    this.lines = new Lines(info, this.names);
    this.types = new Types(this.info, (name, wanted) => this.definition(name, wanted));
    void this.names.ready.then(() => this.types.forget());
    this.macros = new Macros(this.info);
    const callFrames = new CallFrames(this.info);
    this.frames = new Frames(this.info, callFrames);
    this.staticPlaces = new StaticPlaces(this.info, callFrames);
    this.variables = new Variables(
      this.info,
      this.lines,
      this.scopes,
      this.types,
      this.frames,
      this.symbols,
      this.names,
      this.btf,
    );
    this.places = new Places(this.info, this.lines, this.scopes, this.symbols, this.names);
  }

  moveBy(slide: bigint): void {
    this.addresses.slide = slide;
  }

  get problems(): readonly string[] {
    return this.info.problems;
  }

  get entry(): bigint {
    return this.addresses.moved(this.elf.entry);
  }

  get sections(): SymbolIndex['sections'] {
    return this.elf.sections
      .filter((section) => section.flags & sectionFlags.alloc && section.size > 0)
      .map(({ name, address, size }) => ({ name, address: this.addresses.moved(address), size: BigInt(size) }));
  }

  pathAt(): string {
    return this.path;
  }

  get indexed(): Promise<void> {
    return this.names.ready;
  }

  stopIndexing(): void {
    void this.names.stop();
  }

  close(): void {
    this.isClosed = true;
    this.stopIndexing();
    this.info.close();
  }

  symbolAt(address: bigint): ImageSymbol | undefined {
    return this.symbols.at(this.addresses.fromGuest(address));
  }

  symbolsNamed(name: string): ImageSymbol[] {
    return this.symbols.named(name);
  }

  functionSymbols(name: string): ImageSymbol[] {
    return this.symbols.functions(name);
  }

  namesWithPrefix(prefix: string, limit: number): string[] {
    return this.symbols.withPrefix(prefix, limit);
  }

  sources(): readonly string[] {
    return this.info.tolerate(() => this.lines.sources(), []);
  }

  lineAt(pc: bigint): LineRange | undefined {
    return this.info.tolerate(() => this.lines.rangeAt(this.addresses.fromGuest(pc)), undefined);
  }

  placesFor(file: string, line: number): Promise<BreakpointPlace[]> {
    return this.inSlices(this.places.forLine(file, line));
  }

  linesWithCode(file: string, first: number, last: number): Promise<number[]> {
    return this.inSlices(this.places.linesWithCode(file, first, last));
  }

  placesForFunction(name: string): Promise<BreakpointPlace[]> {
    return this.inSlices(this.places.forFunction(name));
  }

  bodyAt(pc: bigint): bigint | undefined {
    return this.info.tolerate(() => {
      const die = this.functionAround(pc);
      const body = die && steppedInto(die, this.lines);
      return body === undefined ? undefined : this.addresses.toGuest(body);
    }, undefined);
  }

  pastTracer(address: bigint): bigint {
    return this.info.tolerate(() => {
      const code = this.elf.load(this.addresses.toAddress(this.addresses.fromGuest(address)), ENTRY_BYTES);
      return address + BigInt(tracerCallEnd(code, (offset) => this.symbolAt(address + BigInt(offset))?.name));
    }, address);
  }

  /** Nothing, where there is damage or the files were closed meanwhile. */
  private async inSlices<Item>(work: Sliced<Item[]>): Promise<Item[]> {
    try {
      return (await inSlices(work, () => !this.isClosed)) ?? [];
    } catch (error) {
      return this.info.note(error, []);
    }
  }

  functionAt(pc: bigint): FunctionInfo | undefined {
    return this.info.tolerate(() => {
      const die = this.functionAround(pc);
      return die && this.describe(this.scopes.tree(die));
    }, undefined);
  }

  inlineLevels(pc: bigint): InlineLevel[] {
    return this.info.tolerate(() => {
      const levels = this.levelsAt(pc);
      return levels.map((scopes, level) => {
        const scope = scopes[0] as Scope;
        const inner = levels[level - 1]?.[0];
        const line = inner ? this.callOf(inner) : this.lines.lineAt(this.addresses.fromGuest(pc));
        return { function: this.describe(scope), ...(line ? { line } : {}), inlined: scope.kind === 'inlined' };
      });
    }, []);
  }

  variablesAt(pc: bigint, level: number): VariableInfo[] {
    return this.info.tolerate(() => this.variables.inScopes(this.levelsAt(pc)[level] ?? []), []);
  }

  globals(name: string, pc?: bigint): VariableInfo[] {
    const near = () => (pc === undefined ? undefined : this.lines.unitFor(this.addresses.fromGuest(pc)));
    return this.info.tolerate(() => this.variables.globals(name, near()), []);
  }

  typeNamed(name: string, kind?: 'struct' | 'union' | 'enum'): Type | undefined {
    return this.info.tolerate(() => {
      const die = kind ? this.tagged(name, kind) : this.typeWord(name);
      return die ? this.types.fromDie(die) : this.btf?.named(name, kind);
    }, undefined);
  }

  macro(name: string, pc: bigint): Macro | undefined {
    return this.info.tolerate(() => {
      const unit = this.lines.unitFor(this.addresses.fromGuest(pc));
      return unit && this.macros.find(name, unit);
    }, undefined);
  }

  enumerator(name: string): { type: Type; value: bigint } | undefined {
    return this.info.tolerate(() => {
      for (const die of this.names.find(name, 'enumerator')) {
        const type = this.types.fromDie(die);
        const found = type.kind === 'enum' && type.enumerators.find((each) => each.name === name);
        if (found) return { type, value: found.value };
      }
      return this.btf?.enumerator(name);
    }, undefined);
  }

  async locate(variable: VariableInfo, frame: FrameContext): Promise<Place> {
    try {
      return await this.variables.locate(variable, frame);
    } catch (error) {
      return this.info.note(error, { kind: 'optimized-out' });
    }
  }

  placeAt(variable: VariableInfo, pc: bigint): StaticPlace | undefined {
    return this.info.tolerate(() => this.variables.staticPlace(variable, pc, this.staticPlaces), undefined);
  }

  async unwind(frame: FrameContext): Promise<CallerRegisters | undefined> {
    // The compiler does not know that the code switches stacks, so DWARF is wrong there.
    if (this.orcTable()?.switchesStack(this.addresses.fromGuest(frame.pc))) return this.unwindByOrc(frame);
    try {
      const byDwarf = await this.frames.unwind(frame);
      if (byDwarf) return byDwarf;
    } catch (error) {
      if (!(error instanceof Unavailable)) this.info.note(error, undefined);
    }
    return this.unwindByOrc(frame);
  }

  /** Linux describes its assembly, and so interrupts and system calls, in tables of its own. */
  private async unwindByOrc(frame: FrameContext): Promise<CallerRegisters | undefined> {
    return this.orcTable()?.unwind(frame, this.addresses.fromGuest(frame.pc));
  }

  private orcTable(): OrcTable | undefined {
    this.orc ??= this.info.tolerate(() => OrcTable.of(this.elf, this.addresses), undefined) ?? null;
    return this.orc ?? undefined;
  }

  /** Units with the code that `.symtab` gives a name to. */
  private unitsOfSymbol(name: string): Unit[] {
    return [...this.symbols.named(name), ...this.symbols.meant(parseFunctionName(name))].flatMap(
      ({ address }) => this.lines.unitFor(this.addresses.fromGuest(address)) ?? [],
    );
  }

  private tagged(name: string, kind: keyof typeof tagOfKind): Die | undefined {
    for (const die of this.names.find(name, 'type'))
      if (die.tag === tagOfKind[kind] || (kind === 'struct' && die.tag === tag.classType)) return die;
    return undefined;
  }

  /** What C knows by one word, or else by its tag, which only all names together tell. */
  private typeWord(name: string): Die | undefined {
    let first: Die | undefined;
    for (const die of this.names.find(name, 'type')) {
      if (die.tag === tag.typedef || die.tag === tag.baseType) return die;
      first ??= die;
    }
    return this.names.isWhole ? first : undefined;
  }

  private definition(name: string, wanted: number): Die | undefined {
    for (const die of this.names.find(name, 'type')) if (die.tag === wanted) return die;
    return undefined;
  }

  /** The innermost function that is not inlined. */
  private functionAround(pc: bigint): Die | undefined {
    const distance = this.addresses.fromGuest(pc);
    const unit = this.lines.unitFor(distance);
    return unit && this.scopes.functionAt(unit, distance);
  }

  /** Scopes of each inline level, innermost level first, each from its function inwards. */
  private levelsAt(pc: bigint): Scope[][] {
    const distance = this.addresses.fromGuest(pc);
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
      name: nameOf(die),
      low: addresses.toGuest(Math.min(...ranges.map((range) => range.low))),
      high: addresses.toGuest(Math.max(...ranges.map((range) => range.high))),
      ranges: ranges.map(({ low, high }) => ({ low: addresses.toGuest(low), high: addresses.toGuest(high) })),
      ...(declared ? { declared } : {}),
      get returns() {
        return types.typeOf(die);
      },
    };
  }
}

/** With the scopes that it is in, where the language mangles names. */
function nameOf(die: Die): string {
  const linkage = die.bearer(attribute.linkageName)?.string(attribute.linkageName) ?? '';
  const readable = readableName(linkage);
  return readable === linkage ? (die.name ?? '') : readable;
}
