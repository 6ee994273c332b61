/** Scalars and their conversions, C11 6.3: exact widths, signed values wrap. */
import type { Type } from '../symbols/api.ts';
import { ExpressionError } from './api.ts';
import { type BitRange, decodeFloat, encodeFloat, extractBits, fromBigInt, toBigInt } from './bytes.ts';
import { isFlagsRegister } from './registers.ts';
import {
  type BaseType,
  type DataModel,
  type EnumType,
  isBoolean,
  isFloat,
  isInteger,
  isSigned,
  type PlainType,
  strip,
} from './types.ts';

/** An integer or pointer as bigint in its type's range, a floating number as number. */
export interface Scalar {
  readonly type: Type;
  readonly value: bigint | number;
}

export function wrap(value: bigint, size: number, signed: boolean): bigint {
  return signed ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value);
}

/** Reads a scalar out of its bytes; undefined for a type that is none, or whose format is unknown. */
export function decodeScalar(bytes: Uint8Array, type: Type, bits?: BitRange): bigint | number | undefined {
  const plain = strip(type);
  if (isFloat(plain)) return decodeFloat(bytes.subarray(0, plain.size), plain);
  if (plain.kind !== 'pointer' && !isInteger(plain)) return undefined;
  const size = bits ? bits.size : plain.size * 8;
  const raw = bits ? extractBits(bytes, bits) : toBigInt(bytes.subarray(0, plain.size));
  return plain.kind !== 'pointer' && isSigned(plain) ? BigInt.asIntN(size, raw) : raw;
}

export function encodeScalar({ type, value }: Scalar, at: number): Uint8Array {
  const plain = strip(type);
  if (typeof value === 'bigint') return fromBigInt(value, (plain as BaseType).size);
  const bytes = encodeFloat(value, plain as BaseType);
  if (!bytes) throw new ExpressionError('Values of this floating-point type can be read but not computed.', at);
  return bytes;
}

/** C11 6.3.1.1: what narrower integers become; a bit-field that fits becomes int. */
export function promote({ type, value }: Scalar, model: DataModel, bits?: BitRange): Scalar {
  const plain = strip(type);
  if (typeof value === 'number' || !isInteger(plain)) return { type: plain, value };
  if (bits && (bits.size < 32 || (bits.size === 32 && isSigned(plain)))) return { type: model.int, value };
  if (plain.size < 4) return { type: model.int, value };
  if (
    plain.kind === 'base' &&
    !isFlagsRegister(plain) &&
    (plain.encoding === 'signed' || plain.encoding === 'unsigned')
  ) {
    return { type: plain, value };
  }
  return { type: standardInteger(plain, model), value };
}

/** Enums, and four-byte characters, behave as the integer of their size. */
function standardInteger(type: BaseType | EnumType, model: DataModel): BaseType {
  if (type.size <= 4) return isSigned(type) ? model.int : model.unsignedInt;
  return isSigned(type) ? model.longLong : model.unsignedLongLong;
}

/** The common type of two promoted arithmetic types, C11 6.3.1.8. */
export function commonType(left: PlainType, right: PlainType): BaseType {
  const [a, b] = [left as BaseType, right as BaseType];
  const floats = [a, b].filter((type) => type.encoding === 'float').sort((x, y) => y.size - x.size);
  if (floats[0]) return floats[0];
  const [high, low] = rank(a) >= rank(b) ? [a, b] : [b, a];
  if (isSigned(high) === isSigned(low) || !isSigned(high) || high.size > low.size) return high;
  return { ...high, name: `unsigned ${high.name}`, encoding: 'unsigned' };
}

const rank = (type: BaseType) => type.size * 2 + (/long.*long/.test(type.name) ? 1 : 0);

/** As by an assignment or a cast. Only between scalar types; throws for others. */
export function convert(scalar: Scalar, type: Type, at: number): Scalar {
  const plain = strip(type);
  const { value } = scalar;
  if (isFloat(plain)) {
    const number = Number(typeof value === 'bigint' && strip(scalar.type).kind === 'pointer' ? fail(at) : value);
    return { type, value: plain.size === 4 ? Math.fround(number) : number };
  }
  if (isBoolean(plain)) return { type, value: value ? 1n : 0n };
  if (isInteger(plain)) return { type, value: wrap(truncate(value), plain.size, isSigned(plain)) };
  if (plain.kind === 'pointer') {
    return { type, value: wrap(typeof value === 'number' ? fail(at) : value, plain.size, false) };
  }
  return fail(at);
}

function fail(at: number): never {
  throw new ExpressionError('Invalid cast.', at);
}

/** Out of range is undefined in C; x86 answers with the "integer indefinite" value. */
function truncate(value: bigint | number): bigint {
  if (typeof value === 'bigint') return value;
  return Math.abs(value) < 2 ** 127 ? BigInt(Math.trunc(value)) : -(1n << 63n);
}
