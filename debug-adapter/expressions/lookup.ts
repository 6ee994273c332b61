/** What a name means: a variable in scope, a global, an enumerator, or a bare symbol of the image. */
import type { ImageSymbol, SymbolIndex, Type, VariableInfo } from '../symbols/api.ts';
import { type EvaluationContext, ExpressionError, type Value } from './api.ts';
import { builtinType, type DataModel, unknownCode, unknownData, voidType } from './types.ts';

/** Whether a name is a type here: variables hide typedefs. */
export function isTypedefName(name: string, context: EvaluationContext, model: DataModel): boolean {
  const { symbols, frame } = context;
  if (symbols && (variableInScope(name, context) || symbols.globals(name, frame.pc).length > 0)) return false;
  return typedefNamed(name, context) !== undefined || builtinType([name], model) !== undefined;
}

/** A type that C knows by one word; a struct's tag alone is none. */
export function typedefNamed(name: string, { symbols }: EvaluationContext): Type | undefined {
  const type = symbols?.typeNamed(name);
  return type?.kind === 'typedef' || type?.kind === 'base' || type?.kind === 'class' ? type : undefined;
}

function variableInScope(name: string, { symbols, frame }: EvaluationContext): VariableInfo | undefined {
  return symbols?.variablesAt(frame.pc, frame.level).find((variable) => variable.name === name);
}

/** A found value; enumerators behave as int in arithmetic, C11 6.4.4.3. */
export type Found = Value & { readonly enumerator?: true };

/** What a name stands for: a variable, which lives somewhere else in each frame, or a value. */
export type Named = { readonly variable: VariableInfo } | { readonly value: Found };

/** Throws ExpressionError for a name nothing is known by. */
export function resolveName(name: string, context: EvaluationContext, at: number): Named {
  const { symbols, frame } = context;
  if (symbols) {
    const variable = variableInScope(name, context) ?? nearestGlobal(symbols.globals(name, frame.pc), frame.line?.file);
    if (variable) return { variable };
    const enumerator = symbols.enumerator(name);
    if (enumerator) return { value: { ...constant(enumerator.type, enumerator.value, name), enumerator: true } };
    const symbol = symbols.symbolsNamed(name).find(isDefined);
    if (symbol) return { value: symbolValue(symbol, symbols) };
  }
  const word = wellKnown(name);
  if (word) return { value: word };
  throw new ExpressionError(`No symbol "${name}" in current context.`, at);
}

/** Whether a name has a meaning as it stands. */
export function namesSomething(name: string, context: EvaluationContext): boolean {
  try {
    return resolveName(name, context, 0) !== undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return false;
    throw error;
  }
}

/** `'file.c'::name` or `function::name`. */
export function resolveScoped(scope: string, name: string, context: EvaluationContext, at: number): Named {
  const { symbols } = context;
  const missing = (what: string) => new ExpressionError(what, at);
  if (!symbols) throw missing('There are no symbols: the image has none, or none is loaded.');
  const inFile = symbols.globals(name).find(({ declared }) => declared && isFile(declared.file, scope));
  if (inFile) return { variable: inFile };
  const functionSymbol = symbols.symbolsNamed(scope).find((symbol) => symbol.kind === 'function');
  if (functionSymbol) {
    const pc = functionSymbol.address;
    const level = Math.max(0, symbols.inlineLevels(pc).length - 1);
    const variable = symbols.variablesAt(pc, level).find((each) => each.name === name && each.kind === 'static');
    if (variable) return { variable };
    throw missing(`No static "${name}" in function "${scope}".`);
  }
  const known = symbols.sources().some((file) => isFile(file, scope));
  throw missing(known ? `No symbol "${name}" in "${scope}".` : `No file or function "${scope}" in the symbols.`);
}

/** The named thing as a value in the frame. */
export async function namedValue(named: Named, { symbols, frame }: EvaluationContext): Promise<Found> {
  if ('value' in named) return named.value;
  const { variable } = named;
  const place = (await symbols?.locate(variable, frame)) ?? { kind: 'optimized-out' };
  return { type: variable.type, place, expression: variable.name };
}

const isFile = (file: string, written: string) => file === written || file.endsWith(`/${written}`);

/** Statics of different files may share a name; the one of the frame's own file is meant. */
function nearestGlobal(found: readonly VariableInfo[], file: string | undefined): VariableInfo | undefined {
  return found.find(({ declared }) => file !== undefined && declared?.file === file) ?? found[0];
}

function constant(type: Type, value: bigint, expression: string): Value {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return { type, place: { kind: 'value', bytes }, expression };
}

/** A symbol that no DWARF describes, or a function. */
function symbolValue(symbol: ImageSymbol, symbols: SymbolIndex): Value {
  const place = { kind: 'memory', address: symbol.address } as const;
  return { type: symbolType(symbol, symbols), place, expression: symbol.name };
}

/** Undefined references are listed too, at 0. */
const isDefined = ({ address, size }: ImageSymbol) => address !== 0n || size !== 0n;

function symbolType(symbol: ImageSymbol, symbols: SymbolIndex): Type {
  const described = symbol.kind === 'function' ? symbols.functionAt(symbol.address) : undefined;
  if (described?.low === symbol.address) {
    const level = Math.max(0, symbols.inlineLevels(symbol.address).length - 1);
    const parameters = symbols.variablesAt(symbol.address, level).filter(({ kind }) => kind === 'argument');
    return {
      kind: 'function',
      returns: described.returns ?? voidType,
      parameters: parameters.map(({ type }) => type),
      variadic: false,
    };
  }
  if (symbol.kind === 'object') return unknownData;
  if (symbol.kind === 'function') return unknownCode;
  return isCode(symbol.address, symbols) ? unknownCode : unknownData;
}

/** Labels of assembly sources have no kind; the name of their section tells. */
function isCode(address: bigint, symbols: SymbolIndex): boolean {
  const section = symbols.sections.find(
    (each) => address >= each.address && address < each.address + each.size && each.size > 0n,
  );
  return section !== undefined && /text/.test(section.name);
}

/** Words of C23 and of every kernel that are macros and so in no symbol table. */
function wellKnown(name: string): Value | undefined {
  switch (name) {
    case 'true':
    case 'false':
      return constant({ kind: 'base', name: 'bool', size: 1, encoding: 'boolean' }, name === 'true' ? 1n : 0n, name);
    case 'NULL':
    case 'nullptr':
      return constant({ kind: 'pointer', size: 8, target: voidType }, 0n, name);
    default:
      return undefined;
  }
}
