/** What the session sees of C expressions and values. */
import type { Frame, Place, SymbolIndex, Type } from '../symbols/api.ts';

/** What an expression is evaluated in. Frame 0's registers are the vCPU's; writes go through here. */
export interface EvaluationContext {
  readonly symbols: SymbolIndex | undefined;
  readonly frame: Frame;
  readMemory(address: bigint, length: number): Promise<Uint8Array>;
  writeMemory(address: bigint, data: Uint8Array): Promise<void>;
  /** A register of the frame as little-endian bytes of its own width; undefined when it is unknown there. */
  readRegister(name: string): Promise<Uint8Array | undefined>;
  /** Only where the register's value in this frame is the vCPU's own. */
  writeRegister(name: string, value: Uint8Array): Promise<void>;
  registerNames(): readonly string[];
}

export interface Value {
  readonly type: Type;
  readonly place: Place;
  /** Set for a bit-field inside {@link Value.place}. */
  readonly bits?: { readonly offset: number; readonly size: number };
  /** The C expression that leads here, for DAP's evaluateName; empty when there is none. */
  readonly expression: string;
}

export interface ValueText {
  /** One line: `42`, `0xffff888000001000 "init"`, `{x = 1, y = 2}`, `<optimized out>`, `<not mapped>`. */
  readonly text: string;
  readonly type: string;
  /** Number of children that {@link Expressions.children} can give; 0 for a leaf. */
  readonly children: number;
  readonly indexed: boolean;
  /** Address to open in the memory editor. */
  readonly memory?: bigint;
  readonly writable: boolean;
}

export interface Child {
  readonly name: string;
  readonly value: Value;
}

export interface ValueFormat {
  readonly radix: 'natural' | 'hex' | 'decimal' | 'binary' | 'octal' | 'character' | 'string';
}

export interface Completion {
  readonly name: string;
  readonly kind: 'register' | 'member' | 'variable' | 'symbol';
}

/** How a number of hits, this one included, is compared with another; `%`: every so many. */
export type Comparison = '==' | '>' | '>=' | '<' | '<=' | '%';

/** A comparison of the number of hits, this one included, with a number. */
export interface HitCondition {
  readonly comparison: Comparison;
  readonly count: number;
}

/** A hit count that a stub keeps, in one of its variables. */
export interface Tally extends HitCondition {
  readonly variable: number;
}

/** A piece of a log message: words, or an expression whose value stands there. */
export type MessagePart = string | { readonly source: string; readonly format?: ValueFormat };

/** Where a condition is compiled for. */
export interface ConditionScope {
  readonly symbols: SymbolIndex | undefined;
  /** Address of the breakpoint. */
  readonly pc: bigint;
  /** The stub's registers, numbered as in its target description. */
  readonly registers: readonly { readonly name: string; readonly bits: number; readonly regnum: number }[];
}

/** The room's one entry, made by `createExpressions()` in expressions.ts. */
export interface Expressions {
  /** Throws `ExpressionError`, with a caret position, for what C or this evaluator does not allow. */
  evaluate(source: string, context: EvaluationContext): Promise<Value>;
  /** Whether a number or pointer is not 0, as for C's `if`. */
  holds(source: string, context: EvaluationContext): Promise<boolean>;
  /** Bytes of an object of the type; undefined where it has no size. */
  sizeOf(type: Type): number | undefined;
  format(value: Value, context: EvaluationContext, format?: ValueFormat): Promise<ValueText>;
  children(value: Value, context: EvaluationContext, start: number, count: number): Promise<readonly Child[]>;
  /** Assigns the value of the C expression `source`; returns what is there now. */
  assign(target: Value, source: string, context: EvaluationContext): Promise<Value>;
  /**
   * A condition as a gdb agent expression, which a stub evaluates by itself; with `tally` the visits at which it holds count,
   * and their number decides. Throws `ExpressionError` for what cannot be compiled; its message says what it is.
   */
  compile(source: string, scope: ConditionScope, tally?: Tally): Promise<Uint8Array>;
  /** A log message as an agent expression that prints it and a line end. Throws as {@link Expressions.compile}. */
  compileMessage(parts: readonly MessagePart[], scope: ConditionScope): Promise<Uint8Array>;
  /** Takes a format suffix off a written expression: `flags,x` is `flags` in hex. Letters as gdb's: x d b t o c s. */
  splitFormat(source: string): { readonly source: string; readonly format?: ValueFormat };
  /** What can stand at `column` of a text that is being written, and the column at which the word there starts. */
  complete(
    text: string,
    column: number,
    context: EvaluationContext,
    limit: number,
  ): Promise<{ readonly start: number; readonly completions: readonly Completion[] }>;
  /** The type as C writes it: `struct task *[4]`, `int (*)(void *, size_t)`. */
  typeName(type: Type): string;
}

export class ExpressionError extends Error {
  constructor(
    message: string,
    /** Column in the source, from 0. */
    readonly column: number,
  ) {
    super(message);
  }
}
