/** Symbols of an image, of others beside it, and of what was loaded later, such as kernel modules, as those of one. */
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
  StaticPlace,
  Type,
  VariableInfo,
} from './api.ts';

/** Guest-virtual memory that something was loaded to. */
export interface LoadedRange {
  readonly base: bigint;
  readonly size: bigint;
}

const contains = ({ base, size }: LoadedRange, address: bigint) => address >= base && address < base + size;

interface Loaded {
  readonly symbols: OpenSymbols;
  readonly ranges: readonly LoadedRange[];
}

export class SymbolSet implements OpenSymbols {
  private readonly loaded = new Map<string, Loaded>();
  /** Whose a variable is that was asked for by name. */
  private readonly owners = new WeakMap<VariableInfo, OpenSymbols>();

  /** Where the images beside the main one are. */
  private readonly places: readonly (LoadedRange & { readonly symbols: OpenSymbols })[];

  /** @param beside images that stay, at the addresses that they say */
  constructor(
    readonly main: OpenSymbols,
    readonly beside: readonly OpenSymbols[] = [],
  ) {
    this.places = beside.flatMap((symbols) =>
      // Per-CPU variables of a kernel are said to be from 0 on, where they never are.
      symbols.sections
        .filter(({ address }) => address > 0n)
        .map(({ address, size }) => ({ base: address, size, symbols })),
    );
  }

  /** Adds what was loaded under a name, in place of what was before. */
  load(name: string, symbols: OpenSymbols, ranges: readonly LoadedRange[]): void {
    this.unload(name);
    this.loaded.set(name, { symbols, ranges });
  }

  /** Where what was loaded under a name is now. */
  move(name: string, ranges: readonly LoadedRange[]): void {
    const there = this.loaded.get(name);
    if (there) this.loaded.set(name, { ...there, ranges });
  }

  unload(name: string): void {
    this.loaded.get(name)?.symbols.close();
    this.loaded.delete(name);
  }

  /** What is loaded, by name. */
  get additions(): ReadonlyMap<string, { readonly symbols: OpenSymbols }> {
    return this.loaded;
  }

  get path(): string {
    return this.main.path;
  }
  get entry(): bigint {
    return this.main.entry;
  }
  get machine(): OpenSymbols['machine'] {
    return this.main.machine;
  }
  get indexed(): Promise<void> {
    return Promise.all([this.main, ...this.beside].map(({ indexed }) => indexed)).then(() => undefined);
  }

  stopIndexing(): void {
    for (const symbols of [this.main, ...this.beside]) symbols.stopIndexing();
  }
  get triedDebugFiles(): readonly string[] {
    return this.main.triedDebugFiles;
  }
  get problems(): readonly string[] {
    return this.each((symbols) => symbols.problems);
  }
  get sections(): OpenSymbols['sections'] {
    return this.each((symbols) => symbols.sections);
  }

  moveBy(slide: bigint): void {
    this.main.moveBy(slide);
  }

  close(): void {
    for (const symbols of this.all) symbols.close();
    this.loaded.clear();
  }

  pathAt(address: bigint): string {
    return this.at(address).path;
  }
  symbolAt(address: bigint): ImageSymbol | undefined {
    return this.at(address).symbolAt(address);
  }
  symbolsNamed(name: string): readonly ImageSymbol[] {
    return this.each((symbols) => symbols.symbolsNamed(name));
  }
  functionSymbols(name: string): readonly ImageSymbol[] {
    return this.each((symbols) => symbols.functionSymbols(name));
  }
  namesWithPrefix(prefix: string, limit: number): readonly string[] {
    const names = this.each((symbols) => symbols.namesWithPrefix(prefix, limit));
    return [...new Set(names)].slice(0, limit);
  }

  sources(): readonly string[] {
    return this.isOne ? this.main.sources() : [...new Set(this.each((symbols) => symbols.sources()))];
  }
  lineAt(pc: bigint): LineRange | undefined {
    return this.at(pc).lineAt(pc);
  }
  placesFor(file: string, line: number): Promise<readonly BreakpointPlace[]> {
    return this.eachLater((symbols) => symbols.placesFor(file, line));
  }
  linesWithCode(file: string, first: number, last: number): Promise<readonly number[]> {
    return this.eachLater((symbols) => symbols.linesWithCode(file, first, last));
  }
  placesForFunction(name: string): Promise<readonly BreakpointPlace[]> {
    return this.eachLater((symbols) => symbols.placesForFunction(name));
  }
  bodyAt(pc: bigint): bigint | undefined {
    return this.at(pc).bodyAt(pc);
  }
  pastTracer(address: bigint): bigint {
    return this.at(address).pastTracer(address);
  }

  functionAt(pc: bigint): FunctionInfo | undefined {
    return this.at(pc).functionAt(pc);
  }
  inlineLevels(pc: bigint): readonly InlineLevel[] {
    return this.at(pc).inlineLevels(pc);
  }

  variablesAt(pc: bigint, level: number): readonly VariableInfo[] {
    return this.owned(this.at(pc), (symbols) => symbols.variablesAt(pc, level));
  }
  globals(name: string, pc?: bigint): readonly VariableInfo[] {
    return this.all.flatMap((symbols) => this.owned(symbols, () => symbols.globals(name, pc)));
  }
  typeNamed(name: string, kind?: 'struct' | 'union' | 'enum'): Type | undefined {
    return this.first((symbols) => symbols.typeNamed(name, kind));
  }
  macro(name: string, pc: bigint): Macro | undefined {
    return this.at(pc).macro(name, pc);
  }
  enumerator(name: string): { readonly type: Type; readonly value: bigint } | undefined {
    return this.first((symbols) => symbols.enumerator(name));
  }

  locate(variable: VariableInfo, frame: FrameContext): Promise<Place> {
    return (this.owners.get(variable) ?? this.at(frame.pc)).locate(variable, frame);
  }
  placeAt(variable: VariableInfo, pc: bigint): StaticPlace | undefined {
    return (this.owners.get(variable) ?? this.at(pc)).placeAt(variable, pc);
  }
  unwind(frame: FrameContext): Promise<CallerRegisters | undefined> {
    return this.at(frame.pc).unwind(frame);
  }

  private get all(): readonly OpenSymbols[] {
    return [this.main, ...this.beside, ...[...this.loaded.values()].map(({ symbols }) => symbols)];
  }

  private get isOne(): boolean {
    return this.beside.length === 0 && this.loaded.size === 0;
  }

  /** Of what was loaded last: it may lie where something had memory before. */
  private at(address: bigint): OpenSymbols {
    for (const { symbols, ranges } of [...this.loaded.values()].reverse()) {
      if (ranges.some((range) => contains(range, address))) return symbols;
    }
    return this.places.find((place) => contains(place, address))?.symbols ?? this.main;
  }

  private each<Item>(ask: (symbols: OpenSymbols) => readonly Item[]): readonly Item[] {
    return this.isOne ? ask(this.main) : this.all.flatMap(ask);
  }

  private async eachLater<Item>(ask: (symbols: OpenSymbols) => Promise<readonly Item[]>): Promise<readonly Item[]> {
    return (await Promise.all(this.all.map(ask))).flat();
  }

  private first<Found>(ask: (symbols: OpenSymbols) => Found | undefined): Found | undefined {
    for (const symbols of this.all) {
      const found = ask(symbols);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private owned(owner: OpenSymbols, ask: (symbols: OpenSymbols) => readonly VariableInfo[]): readonly VariableInfo[] {
    const found = ask(owner);
    if (!this.isOne) for (const variable of found) this.owners.set(variable, owner);
    return found;
  }
}
