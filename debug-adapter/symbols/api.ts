/**
 * What the rest of the adapter sees of symbols: an index over one linked image, types, places and frames. Nothing in
 * here knows DAP or a target; memory and registers come in through {@link FrameContext}.
 *
 * Registers are named as in GDB's x86 target description (`rax`, `rip`, `eflags`, `fs_base`).
 */

// ---------------------------------------------------------------- types

export interface Member {
  /** Absent for an anonymous struct or union. */
  readonly name?: string;
  readonly type: Type;
  /** Bytes from the start of the aggregate. */
  readonly offset: number;
  /** Bit-field: `offset` counts from the least significant bit of the byte at {@link Member.offset}. */
  readonly bits?: { readonly offset: number; readonly size: number };
}

/**
 * A C type. Referenced types (`target`, `element`, `members`, `returns`, `parameters`) may be getters that read DWARF
 * when first asked, so never walk a type graph eagerly: it is cyclic.
 */
export type Type =
  | { readonly kind: 'void' }
  | {
      readonly kind: 'base';
      readonly name: string;
      readonly size: number;
      readonly encoding: 'signed' | 'unsigned' | 'signed-char' | 'unsigned-char' | 'boolean' | 'float' | 'utf';
    }
  | { readonly kind: 'pointer'; readonly size: number; readonly target: Type; readonly reference?: boolean }
  | {
      readonly kind: 'struct' | 'union' | 'class';
      readonly name?: string;
      readonly size: number;
      readonly members: readonly Member[];
      /** Only declared; no layout is known anywhere in the image. */
      readonly declaration: boolean;
    }
  /** `count` is absent for a flexible array. */
  | { readonly kind: 'array'; readonly element: Type; readonly count?: number }
  | {
      readonly kind: 'enum';
      readonly name?: string;
      readonly size: number;
      readonly signed: boolean;
      readonly enumerators: readonly { readonly name: string; readonly value: bigint }[];
    }
  | { readonly kind: 'typedef'; readonly name: string; readonly target: Type }
  | { readonly kind: 'const' | 'volatile' | 'restrict' | 'atomic'; readonly target: Type }
  | {
      readonly kind: 'function';
      readonly returns: Type;
      readonly parameters: readonly Type[];
      readonly variadic: boolean;
    };

// ---------------------------------------------------------------- symbols and lines

export interface ImageSymbol {
  readonly name: string;
  readonly address: bigint;
  /** 0 when the image does not say. */
  readonly size: bigint;
  readonly kind: 'function' | 'object' | 'other';
  readonly global: boolean;
}

export interface SourceLine {
  /** As DWARF gives it: the compilation directory joined with the file name. */
  readonly file: string;
  readonly line: number;
  /** 0 when unknown. */
  readonly column: number;
}

/** A run of machine code that came from one place in the source. */
export interface LineRange extends SourceLine {
  readonly low: bigint;
  /** First address after the range. */
  readonly high: bigint;
  readonly isStatement: boolean;
}

export interface FunctionInfo {
  readonly name: string;
  /** Lowest address; the entry for a function that is not inlined. */
  readonly low: bigint;
  readonly high: bigint;
  readonly ranges: readonly { readonly low: bigint; readonly high: bigint }[];
  readonly declared?: SourceLine;
  readonly returns?: Type;
}

/** One level of inlining at an address: the innermost first, the real function last. */
export interface InlineLevel {
  readonly function: FunctionInfo;
  /** Where in this function's source the address, or the call of the next inner level, stands. */
  readonly line?: SourceLine;
  readonly inlined: boolean;
}

export interface VariableInfo {
  readonly name: string;
  readonly type: Type;
  readonly kind: 'argument' | 'local' | 'static' | 'global';
  readonly declared?: SourceLine;
}

export interface BreakpointPlace {
  readonly address: bigint;
  readonly line: SourceLine;
}

export interface Macro {
  readonly body: string;
  /** Absent for one that takes no arguments; `...` as the last for any number. */
  readonly parameters?: readonly string[];
}

/** Symbols of one linked image at the addresses it runs at. All lookups are exact; none throws for an unknown address. */
export interface SymbolIndex {
  readonly path: string;
  readonly entry: bigint;
  /** The image's loaded sections or segments with their names, e.g. for the memory map. */
  readonly sections: readonly { readonly name: string; readonly address: bigint; readonly size: bigint }[];
  readonly machine: 'x86-64' | 'i386';

  /**
   * Resolves when the names and source files of the whole image are known: at once, but for a large image that is being
   * read. Until then {@link placesForFunction} answers by the symbol table, without the inlined copies of other units, and
   * what goes by the name of a source file, type, enumerator or variable finds nothing; where the file has a `.debug_names`
   * or `.gdb_index`, that tells more: inlined copies, types, enumerators, and what a variable's name means at an address.
   * Never rejects.
   */
  readonly indexed: Promise<void>;
  /** Ends that reading: {@link indexed} resolves, and what is only found when it is done stays unknown. */
  stopIndexing(): void;

  /** The file whose code or data is at `address`, of several the main one where it is none's. */
  pathAt(address: bigint): string;
  /** The symbol that covers `address`, or the nearest one below it in the same section. */
  symbolAt(address: bigint): ImageSymbol | undefined;
  symbolsNamed(name: string): readonly ImageSymbol[];
  /** Code by its name as it is or as it reads: `ns::Class::method` of C++, `crate::module::function` of Rust. */
  functionSymbols(name: string): readonly ImageSymbol[];
  /** Names that start with `prefix`, for completions. */
  namesWithPrefix(prefix: string, limit: number): readonly string[];

  sources(): readonly string[];
  lineAt(pc: bigint): LineRange | undefined;
  /**
   * Where to break for a line: every copy of the nearest line at or after `line` that has a statement, within one file.
   * Empty when the file has no code there.
   */
  placesFor(file: string, line: number): Promise<readonly BreakpointPlace[]>;
  /** Lines with statements in a range, for `breakpointLocations`. */
  linesWithCode(file: string, first: number, last: number): Promise<readonly number[]>;
  /**
   * Where to break for a function, by its name as for {@link functionSymbols}: after its prologue, for the out-of-line copy
   * and every inlined one.
   */
  placesForFunction(name: string): Promise<readonly BreakpointPlace[]>;
  /** Where a step into the function around `pc`, which is not an inlined one, stops: where it has set up its frame. */
  bodyAt(pc: bigint): bigint | undefined;

  /**
   * Behind the call of a tracer with which the function at `address` begins, or `address`. Arguments are where they were. A
   * kernel that patches these calls takes them for its own: a trap there would be found, and tracing given up.
   */
  pastTracer(address: bigint): bigint;

  functionAt(pc: bigint): FunctionInfo | undefined;
  /** Innermost first; empty where there is no DWARF. */
  inlineLevels(pc: bigint): readonly InlineLevel[];

  /** Arguments and locals in scope at one inline level of `pc`; inner scopes first, so the first match of a name wins. */
  variablesAt(pc: bigint, level: number): readonly VariableInfo[];
  /** @param pc Where the name is used: until all are {@link indexed}, only what it means there may be known. */
  globals(name: string, pc?: bigint): readonly VariableInfo[];
  typeNamed(name: string, kind?: 'struct' | 'union' | 'enum'): Type | undefined;
  /** A macro of the unit that `pc` is in; only where the compiler noted macros. */
  macro(name: string, pc: bigint): Macro | undefined;
  enumerator(name: string): { readonly type: Type; readonly value: bigint } | undefined;

  /** Where a variable lives in this frame, DWARF 5 chapter 2.6. */
  locate(variable: VariableInfo, frame: FrameContext): Promise<Place>;
  /** Where a variable lives at `pc` whatever the frame; undefined where that takes more than a register and an offset. */
  placeAt(variable: VariableInfo, pc: bigint): StaticPlace | undefined;
  /** The caller's frame by call frame information, DWARF 5 chapter 6.4; undefined without CFI for `pc`. */
  unwind(frame: FrameContext): Promise<CallerRegisters | undefined>;
}

/** An index that holds its file open until it is closed. */
export interface OpenSymbols extends SymbolIndex {
  /** What was found damaged so far: the parts of the file that are left out. */
  readonly problems: readonly string[];
  /** Where a file with the DWARF of the stripped image was looked for in vain; empty where none is told of. */
  readonly triedDebugFiles: readonly string[];
  /** The guest has the image's upper half `slide` bytes above where the file has it, as `kernelSlide` finds out. */
  moveBy(slide: bigint): void;
  close(): void;
}

// ---------------------------------------------------------------- places and frames

/** Reads guest-virtual memory; shorter than asked where a page is not mapped. */
export type ReadMemory = (address: bigint, length: number) => Promise<Uint8Array>;

export interface FrameContext {
  /** Address to look things up with: the call itself, not its return address, for a frame that called another. */
  readonly pc: bigint;
  /** Known registers of this frame, unsigned 64-bit. Those that a callee may have lost are absent. */
  readonly registers: ReadonlyMap<string, bigint>;
  readonly read: ReadMemory;
}

export interface CallerRegisters {
  readonly cfa: bigint;
  readonly registers: ReadonlyMap<string, bigint>;
  /** A signal or interrupt frame ('S' augmentation): the caller was interrupted at its pc, it did not call. */
  readonly interrupted: boolean;
}

export type Place =
  | { readonly kind: 'memory'; readonly address: bigint }
  | { readonly kind: 'register'; readonly name: string }
  /** Computed, lives nowhere: cannot be assigned. */
  | { readonly kind: 'value'; readonly bytes: Uint8Array }
  | { readonly kind: 'pieces'; readonly pieces: readonly { readonly place: Place; readonly size: number }[] }
  | { readonly kind: 'optimized-out' };

/** A place that needs no frame: at an address, at an offset from a register's value, in a register, or a known number. */
export type StaticPlace =
  | { readonly kind: 'memory'; readonly base?: string; readonly offset: bigint }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'value'; readonly number: bigint };

export interface Frame extends FrameContext {
  /** 0 is the innermost. */
  readonly index: number;
  /** The address that the frame stands at, as shown: a return address for callers. */
  readonly address: bigint;
  readonly cfa?: bigint;
  /** Which inline level of {@link SymbolIndex.inlineLevels} at {@link FrameContext.pc} this frame is. */
  readonly level: number;
  readonly function?: FunctionInfo;
  readonly symbol?: ImageSymbol;
  readonly line?: SourceLine;
  readonly inlined: boolean;
  /** How the frame was found; the later in this list, the less it can be trusted. */
  readonly found: 'registers' | 'cfi' | 'interrupt-frame' | 'frame-pointer' | 'return-address';
}

/** A file that cannot be used; `message` says what is wrong with it and at which offset. */
export class SymbolFileError extends Error {}
