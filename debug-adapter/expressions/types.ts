/** C's types as the evaluator needs them: what is behind typedefs and qualifiers, sizes, and the types of the data model. */
import type { Member, SymbolIndex, Type } from '../symbols/api.ts';

export type BaseType = Extract<Type, { kind: 'base' }>;
export type PointerType = Extract<Type, { kind: 'pointer' }>;
export type ArrayType = Extract<Type, { kind: 'array' }>;
export type EnumType = Extract<Type, { kind: 'enum' }>;
export type AggregateType = Extract<Type, { kind: 'struct' | 'union' | 'class' }>;
export type FunctionType = Extract<Type, { kind: 'function' }>;
type Wrapper = Extract<Type, { kind: 'typedef' | 'const' | 'volatile' | 'restrict' | 'atomic' }>;
export type PlainType = Exclude<Type, Wrapper>;

/** A type graph comes from the image, so it may be cyclic where C forbids it; nothing real nests this deep. */
const MAX_NESTING = 64;

export const voidType: PlainType = { kind: 'void' };
/** Types of assembly symbols that no DWARF describes; told apart by identity, named as gdb names them. */
export const unknownData: Type = { kind: 'typedef', name: '<data variable, no debug info>', target: voidType };
export const unknownCode: FunctionType = {
  kind: 'function',
  returns: { kind: 'typedef', name: '<text variable, no debug info>', target: voidType },
  parameters: [],
  variadic: false,
};

/** The type behind typedefs and qualifiers; `void` for a typedef that never ends. */
export function strip(type: Type): PlainType {
  let current = type;
  for (let depth = 0; depth < MAX_NESTING; depth++) {
    if (!isWrapper(current)) return current;
    current = current.target;
  }
  return voidType;
}

function isWrapper(type: Type): type is Wrapper {
  switch (type.kind) {
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'atomic':
      return true;
    default:
      return false;
  }
}

/** Bytes of an object of the type; undefined for void, functions, incomplete types and flexible arrays. */
export function sizeOf(type: Type, depth = 0): number | undefined {
  const plain = strip(type);
  switch (plain.kind) {
    case 'base':
    case 'pointer':
    case 'enum':
      return plain.size;
    case 'struct':
    case 'union':
    case 'class':
      return plain.declaration ? undefined : plain.size;
    case 'array': {
      const element = depth < MAX_NESTING ? sizeOf(plain.element, depth + 1) : undefined;
      const size = element === undefined || plain.count === undefined ? undefined : element * plain.count;
      return size !== undefined && Number.isSafeInteger(size) ? size : undefined;
    }
    default:
      return undefined;
  }
}

/** Bytes a pointer to the type moves by; void and functions count as 1, as in GNU C. */
export function stride(type: Type): number | undefined {
  const plain = strip(type);
  return plain.kind === 'void' || plain.kind === 'function' ? 1 : sizeOf(plain);
}

export function isAggregate(type: PlainType): type is AggregateType {
  return type.kind === 'struct' || type.kind === 'union' || type.kind === 'class';
}

export function isFloat(type: PlainType): type is BaseType {
  return type.kind === 'base' && type.encoding === 'float';
}

export function isInteger(type: PlainType): type is BaseType | EnumType {
  return (type.kind === 'base' && type.encoding !== 'float') || type.kind === 'enum';
}

export function isSigned(type: BaseType | EnumType): boolean {
  return type.kind === 'enum' ? type.signed : type.encoding === 'signed' || type.encoding === 'signed-char';
}

/** One-byte character types, whose arrays and pointers are shown as strings. */
export function isCharacter(type: Type): boolean {
  const plain = strip(type);
  return (
    plain.kind === 'base' &&
    plain.size === 1 &&
    (plain.encoding === 'signed-char' || plain.encoding === 'unsigned-char' || plain.encoding === 'utf')
  );
}

export function isBoolean(type: PlainType): boolean {
  return type.kind === 'base' && type.encoding === 'boolean';
}

/** The widths that the compiler of an image used: LP64 on x86-64, ILP32 on i386. */
export interface DataModel {
  readonly pointerSize: 4 | 8;
  readonly char: BaseType;
  readonly int: BaseType;
  readonly unsignedInt: BaseType;
  readonly long: BaseType;
  readonly unsignedLong: BaseType;
  readonly longLong: BaseType;
  readonly unsignedLongLong: BaseType;
  readonly double: BaseType;
  readonly float: BaseType;
}

const base = (name: string, size: number, encoding: BaseType['encoding']): BaseType => ({
  kind: 'base',
  name,
  size,
  encoding,
});

const makeModel = (word: 4 | 8): DataModel => ({
  pointerSize: word,
  char: base('char', 1, 'signed-char'),
  int: base('int', 4, 'signed'),
  unsignedInt: base('unsigned int', 4, 'unsigned'),
  long: base('long', word, 'signed'),
  unsignedLong: base('unsigned long', word, 'unsigned'),
  longLong: base('long long', 8, 'signed'),
  unsignedLongLong: base('unsigned long long', 8, 'unsigned'),
  float: base('float', 4, 'float'),
  double: base('double', 8, 'float'),
});

const lp64 = makeModel(8);
const ilp32 = makeModel(4);

export function modelOf(symbols: SymbolIndex | undefined): DataModel {
  return symbols?.machine === 'i386' ? ilp32 : lp64;
}

/**
 * A base type by its C words (`unsigned long int`) or by the name that `<stdint.h>` and `<stddef.h>` give it; undefined
 * when the words make no type.
 */
export function builtinType(words: readonly string[], model: DataModel): Type | undefined {
  if (words.length === 1) {
    const known = byName(words[0] ?? '', model);
    if (known) return known;
  }
  const count = (word: string) => words.filter((each) => each === word).length;
  const longs = count('long');
  const rest = words.filter((word) => !['long', 'int', 'signed', 'unsigned', '__signed__'].includes(word));
  const unsigned = count('unsigned') > 0;
  const signed = count('signed') + count('__signed__') > 0;
  if (longs > 2 || rest.length > 1 || count('int') > 1 || (signed && unsigned) || words.length === 0) return undefined;
  const encoding = unsigned ? 'unsigned' : 'signed';
  const prefix = unsigned ? 'unsigned ' : '';
  switch (rest[0]) {
    case undefined:
      if (longs === 0) return unsigned ? model.unsignedInt : model.int;
      if (longs === 1) return unsigned ? model.unsignedLong : model.long;
      return unsigned ? model.unsignedLongLong : model.longLong;
    case 'short':
      return longs > 0 ? undefined : base(`${prefix}short`, 2, encoding);
    case 'char':
      if (longs > 0 || count('int') > 0) return undefined;
      if (!unsigned && !signed) return model.char;
      return base(`${encoding} char`, 1, `${encoding}-char`);
    case '__int128':
      return longs > 0 || count('int') > 0 ? undefined : base(`${prefix}__int128`, 16, encoding);
    case 'double':
      if (longs > 1 || signed || unsigned || count('int') > 0) return undefined;
      return longs === 1 ? base('long double', model.pointerSize === 8 ? 16 : 12, 'float') : model.double;
    default:
      return undefined;
  }
}

function byName(name: string, model: DataModel): Type | undefined {
  const typedef = (target: Type): Type => ({ kind: 'typedef', name, target });
  const sized = /^(u?)int(8|16|32|64)_t$/.exec(name);
  if (sized) {
    const size = Number(sized[2]) / 8;
    const encoding = sized[1] ? 'unsigned' : 'signed';
    return base(name, size, size === 1 ? `${encoding}-char` : encoding);
  }
  switch (name) {
    case 'void':
      return voidType;
    case 'float':
      return model.float;
    case 'bool':
    case '_Bool':
      return base(name, 1, 'boolean');
    case 'size_t':
    case 'uintptr_t':
      return typedef(model.unsignedLong);
    case 'ssize_t':
    case 'intptr_t':
    case 'ptrdiff_t':
      return typedef(model.long);
    default:
      return undefined;
  }
}

/** A member with its offset from the start of the outermost aggregate. */
export type FoundMember = Member & { readonly name: string };

/** More members than any struct of a real kernel has; the rest of a hostile one stays hidden. */
const MAX_MEMBERS = 4096;
/** Anonymous structs inside anonymous structs: a self-containing one would never end. */
const MAX_ANONYMOUS_NESTING = 16;

/** The members of an aggregate with those of its anonymous structs and unions in their places, as C names them. */
export function membersOf(type: AggregateType): readonly FoundMember[] {
  const found: FoundMember[] = [];
  const collect = (aggregate: AggregateType, base: number, depth: number) => {
    for (const member of aggregate.members) {
      if (found.length >= MAX_MEMBERS) return;
      const offset = base + member.offset;
      const plain = strip(member.type);
      if (member.name !== undefined) found.push({ ...member, name: member.name, offset });
      else if (isAggregate(plain) && depth < MAX_ANONYMOUS_NESTING) collect(plain, offset, depth + 1);
    }
  };
  collect(type, 0, 0);
  return found;
}
