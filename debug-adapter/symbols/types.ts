/** C types out of DWARF. DWARF 5, chapter 5. */
import type { Member, Type } from './api.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Die } from './die.ts';
import { attribute, tag } from './dwarf-constants.ts';
import { memberBits, memberOffset } from './members.ts';

const voidType: Type = { kind: 'void' };
/** Longest chain of typedefs, qualifiers and arrays; a longer one is a loop and ends as void. */
const maximumChain = 64;
const maximumDimensions = 32;

type Aggregate = 'struct' | 'union' | 'class';
/** Finds the definition of an aggregate or enumeration that is only declared in its unit. */
export type FindDefinition = (name: string, tag: number) => Die | undefined;

export class Types {
  private readonly cache = new Map<number, Type>();

  constructor(
    private readonly info: DebugInfo,
    private readonly findDefinition: FindDefinition,
  ) {}

  /** Makes types anew, as definitions can be found now that could not before. */
  forget(): void {
    this.cache.clear();
  }

  /** The type that an entry refers to by DW_AT_type; void where it refers to none. */
  typeOf(die: Die): Type {
    const target = die.type;
    return target ? this.fromDie(target) : voidType;
  }

  fromDie(die: Die): Type {
    let type = this.cache.get(die.offset);
    if (!type) {
      type = this.make(die);
      this.cache.set(die.offset, type);
    }
    return type;
  }

  private make(die: Die): Type {
    switch (die.tag) {
      case tag.baseType:
        return makeBase(die);
      case tag.pointerType:
        return this.pointer(die, false);
      case tag.referenceType:
      case tag.rvalueReferenceType:
        return this.pointer(die, true);
      case tag.structureType:
        return this.aggregate(die, 'struct');
      case tag.classType:
        return this.aggregate(die, 'class');
      case tag.unionType:
        return this.aggregate(die, 'union');
      case tag.enumerationType:
        return this.enumeration(die);
      case tag.typedef:
        return this.wrapper(die, (target) => ({ kind: 'typedef', name: die.name ?? '', target }));
      case tag.constType:
        return this.wrapper(die, (target) => ({ kind: 'const', target }));
      case tag.volatileType:
        return this.wrapper(die, (target) => ({ kind: 'volatile', target }));
      case tag.restrictType:
        return this.wrapper(die, (target) => ({ kind: 'restrict', target }));
      case tag.atomicType:
        return this.wrapper(die, (target) => ({ kind: 'atomic', target }));
      case tag.arrayType:
        return this.array(die);
      case tag.subroutineType:
      case tag.subprogram:
        return this.functionType(die);
      default:
        return voidType;
    }
  }

  private pointer(die: Die, reference: boolean): Type {
    const types = this;
    return {
      kind: 'pointer',
      size: die.number(attribute.byteSize) ?? this.info.addresses.wordSize,
      get target() {
        return types.typeOf(die);
      },
      ...(reference ? { reference } : {}),
    };
  }

  /** Typedefs, qualifiers and arrays hold their target itself, so a loop of them would never end. */
  private wrapper(die: Die, make: (target: Type) => Type): Type {
    return make(endsInType(die) ? this.typeOf(die) : voidType);
  }

  private array(die: Die): Type {
    return this.wrapper(die, (element) => {
      const counts: (number | undefined)[] = [];
      for (const child of die.children())
        if (child.tag === tag.subrangeType && counts.length < maximumDimensions) counts.push(elementCount(child));
      if (counts.length === 0) counts.push(undefined);
      return counts.reduceRight<Type>(
        (inner, count) =>
          count === undefined ? { kind: 'array', element: inner } : { kind: 'array', element: inner, count },
        element,
      );
    });
  }

  private aggregate(declared: Die, kind: Aggregate): Type {
    const types = this;
    const name = declared.name;
    let definition: Die | undefined;
    const die = () => {
      definition ??= this.definitionOf(declared);
      return definition;
    };
    let members: readonly Member[] | undefined;
    return {
      kind,
      ...(name === undefined ? {} : { name }),
      get size() {
        return die().number(attribute.byteSize) ?? 0;
      },
      get members() {
        members ??= types.members(die());
        return members;
      },
      get declaration() {
        return die().flag(attribute.declaration);
      },
    };
  }

  private definitionOf(die: Die): Die {
    if (!die.flag(attribute.declaration)) return die;
    const bySignature = die.reference(attribute.signature);
    return bySignature ?? (die.name === undefined ? undefined : this.findDefinition(die.name, die.tag)) ?? die;
  }

  private members(aggregate: Die): Member[] {
    const members: Member[] = [];
    for (const die of aggregate.children()) {
      // A static member of C++ is a variable, not part of the object.
      if ((die.tag !== tag.member && die.tag !== tag.inheritance) || die.flag(attribute.external)) continue;
      members.push(this.member(die));
    }
    return members;
  }

  private member(die: Die): Member {
    const types = this;
    const name = die.string(attribute.name);
    const bits = memberBits(die, () => sizeOf(this.typeOf(die)));
    return {
      ...(name === undefined ? {} : { name }),
      get type() {
        return types.typeOf(die);
      },
      ...(bits ?? { offset: memberOffset(die) }),
    };
  }

  private enumeration(declared: Die): Type {
    const die = this.definitionOf(declared);
    const name = die.name;
    const size = die.number(attribute.byteSize) ?? sizeOf(this.typeOf(die)) ?? 4;
    const raw: { name: string; value: bigint; signed: boolean }[] = [];
    for (const child of die.children()) {
      const value = child.tag === tag.enumerator ? child.value(attribute.constValue) : undefined;
      if (value?.kind === 'constant') raw.push({ name: child.name ?? '', value: value.value, signed: value.signed });
    }
    const underlying = die.type && stripped(this.typeOf(die));
    const signed =
      underlying?.kind === 'base' ? underlying.encoding.startsWith('signed') : raw.some(({ value }) => value < 0n);
    const bits = 8 * Math.min(size, 8);
    const fit = (value: bigint) => (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
    return {
      kind: 'enum',
      ...(name === undefined ? {} : { name }),
      size,
      signed,
      enumerators: raw.map((each) => ({ name: each.name, value: fit(each.value) })),
    };
  }

  private functionType(die: Die): Type {
    const types = this;
    const children = [...die.children()];
    return {
      kind: 'function',
      get returns() {
        return types.typeOf(die);
      },
      get parameters() {
        return children.filter((child) => child.tag === tag.formalParameter).map((child) => types.typeOf(child));
      },
      variadic: children.some((child) => child.tag === tag.unspecifiedParameters),
    };
  }
}

function makeBase(die: Die): Type {
  const size = die.number(attribute.byteSize) ?? 0;
  const name = die.name ?? '';
  const base = (encoding: Extract<Type, { kind: 'base' }>['encoding']): Type => ({
    kind: 'base',
    name,
    size,
    encoding,
  });
  switch (die.number(attribute.encoding)) {
    case 2: // DW_ATE_boolean
      return base('boolean');
    case 3: // DW_ATE_complex_float: two numbers, as C lays them out
      return { kind: 'array', element: { kind: 'base', name, size: size / 2, encoding: 'float' }, count: 2 };
    case 4:
      return base('float');
    case 5:
      return base('signed');
    case 6:
      return base('signed-char');
    case 8:
      return base('unsigned-char');
    case 0x10:
      return base('utf');
    default:
      return base('unsigned');
  }
}

/** Undefined for a flexible or variable-length array. */
function elementCount(subrange: Die): number | undefined {
  const count = subrange.number(attribute.count);
  if (count !== undefined) return count;
  const upper = subrange.value(attribute.upperBound);
  if (upper?.kind !== 'constant') return undefined;
  // -1, in whatever width, is how some compilers write an array of no elements.
  const last = BigInt.asIntN(64, upper.value);
  return last < 0n || last === 0xffff_ffffn ? 0 : Number(last) + 1;
}

const wrappers: ReadonlySet<number> = new Set([
  tag.typedef,
  tag.constType,
  tag.volatileType,
  tag.restrictType,
  tag.atomicType,
  tag.arrayType,
]);

function endsInType(start: Die): boolean {
  let die: Die | undefined = start;
  for (let steps = 0; steps < maximumChain; steps++) {
    if (!die || !wrappers.has(die.tag)) return true;
    die = die.type;
  }
  return false;
}

/** Without typedefs and qualifiers. */
function stripped(start: Type): Type {
  let type = start;
  while (
    type.kind === 'typedef' ||
    type.kind === 'const' ||
    type.kind === 'volatile' ||
    type.kind === 'restrict' ||
    type.kind === 'atomic'
  )
    type = type.target;
  return type;
}

function sizeOf(type: Type): number | undefined {
  const real = stripped(type);
  return real.kind === 'base' || real.kind === 'enum' || real.kind === 'pointer' ? real.size : undefined;
}
