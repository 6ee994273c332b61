/** C types out of BTF. Linux, Documentation/bpf/btf.rst. */
import type { Member, Type } from './api.ts';
import { type BtfRecord, BtfTable, btfKind } from './btf.ts';
import type { DebugInfo } from './debug-info.ts';

const voidType: Type = { kind: 'void' };
/** As for DWARF: a longer chain of typedefs, qualifiers and arrays is a loop and ends as void. */
const maximumChain = 64;

const kindsOf = {
  struct: new Set([btfKind.struct, btfKind.forward]),
  union: new Set([btfKind.union, btfKind.forward]),
  enum: new Set([btfKind.enum, btfKind.enum64]),
} as const;
/** What C knows by one word, and what it knows by two. */
const oneWord: ReadonlySet<number> = new Set([btfKind.typedef, btfKind.int, btfKind.float]);
const tagged: ReadonlySet<number> = new Set([...kindsOf.struct, btfKind.union, ...kindsOf.enum]);
const declarations: ReadonlySet<number> = new Set([btfKind.variable, btfKind.function]);
/** These hold the type that they wrap, and pass on to it. */
const wrappers: ReadonlySet<number> = new Set([
  btfKind.typedef,
  btfKind.const,
  btfKind.volatile,
  btfKind.restrict,
  btfKind.typeTag,
  btfKind.array,
]);

const intFlags = { signed: 1, char: 2, boolean: 4 } as const;

export class BtfTypes {
  private readonly cache = new Map<number, Type>();

  private constructor(
    private readonly table: BtfTable,
    private readonly wordSize: 4 | 8,
  ) {}

  /** Undefined for an image without. */
  static of(info: DebugInfo): BtfTypes | undefined {
    const table = BtfTable.of(info);
    return table && new BtfTypes(table, info.elf.wordSize);
  }

  named(name: string, kind?: 'struct' | 'union' | 'enum'): Type | undefined {
    const [first, ...others] = (kind ? [kindsOf[kind]] : [oneWord, tagged]).flatMap((kinds) =>
      this.table.named(name, kinds).filter((id) => !kind || this.isOf(id, kind)),
    );
    const layout = [first, ...others].find((id) => id !== undefined && !this.isForward(id));
    const id = kind ? (layout ?? first) : first;
    return id === undefined ? undefined : this.fromId(id);
  }

  /** What is declared by that name: the type of a variable or function. Undefined also where there are several. */
  declared(name: string): Type | undefined {
    const found = new Set(this.table.named(name, declarations).map((id) => this.table.record(id)?.sizeOrType ?? 0));
    const [only] = found;
    return found.size === 1 && only !== undefined ? this.fromId(only) : undefined;
  }

  enumerator(name: string): { type: Type; value: bigint } | undefined {
    const id = this.table.enumerationWith(name);
    const type = id === undefined ? undefined : this.fromId(id);
    const found = type?.kind === 'enum' ? type.enumerators.find((each) => each.name === name) : undefined;
    return type && found && { type, value: found.value };
  }

  private isForward(id: number): boolean {
    return this.table.record(id)?.kind === btfKind.forward;
  }

  /** A forward declaration says by its flag which of both it is. */
  private isOf(id: number, kind: 'struct' | 'union' | 'enum'): boolean {
    const record = this.table.record(id);
    return record?.kind !== btfKind.forward || record.flag === (kind === 'union');
  }

  private fromId(id: number): Type {
    let type = this.cache.get(id);
    if (!type) {
      const record = this.table.record(id);
      type = record ? this.make(record) : voidType;
      this.cache.set(id, type);
    }
    return type;
  }

  private make(record: BtfRecord): Type {
    const { kind, name, sizeOrType, words, parts } = record;
    switch (kind) {
      case btfKind.int:
        return makeInteger(record);
      case btfKind.float:
        return { kind: 'base', name, size: sizeOrType, encoding: 'float' };
      case btfKind.pointer:
        return this.pointer(sizeOrType);
      case btfKind.struct:
      case btfKind.union:
        return this.aggregate(record);
      case btfKind.forward:
        return { kind: record.flag ? 'union' : 'struct', name, size: 0, members: [], declaration: true };
      case btfKind.enum:
      case btfKind.enum64:
        return this.enumeration(record);
      case btfKind.typedef:
        return { kind: 'typedef', name, target: this.wrapped(record) };
      case btfKind.const:
        return { kind: 'const', target: this.wrapped(record) };
      case btfKind.volatile:
        return { kind: 'volatile', target: this.wrapped(record) };
      case btfKind.restrict:
        return { kind: 'restrict', target: this.wrapped(record) };
      case btfKind.typeTag:
        return this.wrapped(record);
      case btfKind.array:
        return makeArray(this.wrapped(record), words.getUint32(8, true));
      case btfKind.prototype:
        return this.prototype(sizeOrType, words, parts);
      default:
        return voidType;
    }
  }

  private pointer(target: number): Type {
    const types = this;
    return {
      kind: 'pointer',
      size: this.wordSize,
      get target() {
        return types.fromId(target);
      },
    };
  }

  private wrapped(record: BtfRecord): Type {
    let inner: BtfRecord | undefined = record;
    for (let steps = 0; steps < maximumChain; steps++) {
      if (!inner || !wrappers.has(inner.kind)) return this.fromId(targetOf(record));
      inner = this.table.record(targetOf(inner));
    }
    return voidType;
  }

  private aggregate(record: BtfRecord): Type {
    const types = this;
    let members: readonly Member[] | undefined;
    return {
      kind: record.kind === btfKind.struct ? 'struct' : 'union',
      ...(record.name === '' ? {} : { name: record.name }),
      size: record.sizeOrType,
      get members() {
        members ??= Array.from({ length: record.parts }, (_, index) => types.member(record, index * 12));
        return members;
      },
      declaration: false,
    };
  }

  /** With `kind_flag`, the width of a bit-field is kept beside its offset; before Linux 5.1 in the type of the member. */
  private member({ words, flag }: BtfRecord, at: number): Member {
    const types = this;
    const name = this.table.string(words.getUint32(at, true));
    const type = words.getUint32(at + 4, true);
    const place = words.getUint32(at + 8, true);
    const narrow = flag ? { size: place >>> 24, offset: 0 } : this.narrowInteger(type);
    const start = (flag ? place & 0xff_ffff : place) + narrow.offset;
    const offset = Math.floor(start / 8);
    return {
      ...(name === '' ? {} : { name }),
      get type() {
        return types.fromId(type);
      },
      offset,
      ...(narrow.size === 0 ? {} : { bits: { offset: start % 8, size: narrow.size } }),
    };
  }

  /** Bits of an integer that does not fill its bytes; size 0 for other types. */
  private narrowInteger(type: number): { size: number; offset: number } {
    let record = this.table.record(type);
    for (let steps = 0; steps < maximumChain && record && wrappers.has(record.kind); steps++)
      record = record.kind === btfKind.array ? undefined : this.table.record(record.sizeOrType);
    const word = record?.kind === btfKind.int ? record.words.getUint32(0, true) : 0;
    const [size, offset] = [word & 0xff, (word >>> 16) & 0xff];
    return size === (record?.sizeOrType ?? 0) * 8 && offset === 0 ? { size: 0, offset: 0 } : { size, offset };
  }

  private enumeration({ kind, name, flag, sizeOrType: size, words, parts }: BtfRecord): Type {
    const isWide = kind === btfKind.enum64;
    const raw = Array.from({ length: parts }, (_, index) => {
      const at = index * (isWide ? 12 : 8);
      const low = BigInt(words.getUint32(at + 4, true));
      const value = isWide ? low | (BigInt(words.getUint32(at + 8, true)) << 32n) : low;
      return { name: this.table.string(words.getUint32(at, true)), value };
    });
    const bits = isWide ? 64 : 32;
    const negative = () => raw.some(({ value }) => BigInt.asIntN(bits, value) < 0n);
    const signed = flag || (!this.table.knowsSigns && negative());
    const enumerators = raw.map((each) => ({
      name: each.name,
      value: signed ? BigInt.asIntN(bits, each.value) : each.value,
    }));
    return { kind: 'enum', ...(name === '' ? {} : { name }), size, signed, enumerators };
  }

  /** A last parameter without name and type stands for `...`. */
  private prototype(returns: number, words: DataView, parts: number): Type {
    const types = this;
    const parameters = Array.from({ length: parts }, (_, index) => words.getUint32(index * 8 + 4, true));
    const variadic = parameters.at(-1) === 0;
    return {
      kind: 'function',
      get returns() {
        return types.fromId(returns);
      },
      get parameters() {
        return parameters.slice(0, variadic ? -1 : undefined).map((id) => types.fromId(id));
      },
      variadic,
    };
  }
}

const targetOf = ({ kind, sizeOrType, words }: BtfRecord): number =>
  kind === btfKind.array ? words.getUint32(0, true) : sizeOrType;

/** BTF has no word for a flexible array, but that it has no elements. */
const makeArray = (element: Type, count: number): Type =>
  count === 0 ? { kind: 'array', element } : { kind: 'array', element, count };

/** BTF's writers leave its mark for characters out. */
function makeInteger({ name, sizeOrType: size, words }: BtfRecord): Type {
  const flags = (words.getUint32(0, true) >>> 24) & 0xf;
  const base = (encoding: Extract<Type, { kind: 'base' }>['encoding']): Type => ({
    kind: 'base',
    name,
    size,
    encoding,
  });
  if (flags & intFlags.boolean) return base('boolean');
  const signed = (flags & intFlags.signed) !== 0;
  if (flags & intFlags.char || (size === 1 && /\bchar$/.test(name)))
    return base(signed ? 'signed-char' : 'unsigned-char');
  return base(signed ? 'signed' : 'unsigned');
}
