/** Little-endian bytes of scalars and bit-fields. */
import type { BaseType } from './types.ts';

/** Unsigned. */
export function toBigInt(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index] ?? 0);
  return value;
}

/** The low `size` bytes of a value of any sign. */
export function fromBigInt(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, value);
  for (let index = 0; index < size; index++) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

export interface BitRange {
  /** Bits from the least significant bit of the first byte. */
  readonly offset: number;
  readonly size: number;
}

/** Bytes that hold a bit range. */
export function bytesOfBits(bits: BitRange): number {
  return Math.ceil((bits.offset + bits.size) / 8);
}

/** The bits, moved down to bit 0; unsigned. */
export function extractBits(bytes: Uint8Array, bits: BitRange): bigint {
  return BigInt.asUintN(bits.size, toBigInt(bytes.subarray(0, bytesOfBits(bits))) >> BigInt(bits.offset));
}

/** A copy of the bytes with the bits replaced by the low bits of `value`. */
export function insertBits(bytes: Uint8Array, bits: BitRange, value: bigint): Uint8Array {
  const mask = ((1n << BigInt(bits.size)) - 1n) << BigInt(bits.offset);
  const old = toBigInt(bytes) & ~mask;
  return fromBigInt(old | ((value << BigInt(bits.offset)) & mask), bytes.length);
}

/** IEEE binary32 and binary64, and the x87's 80 bits rounded to a double; undefined for other formats. */
export function decodeFloat(bytes: Uint8Array, type: BaseType): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (/complex|_Float128|__float128|_Float16|__bf16/i.test(type.name)) return undefined;
  if (bytes.length === 4) return view.getFloat32(0, true);
  if (bytes.length === 8) return view.getFloat64(0, true);
  if (bytes.length === 10 || bytes.length === 12 || bytes.length === 16) {
    const mantissa = view.getBigUint64(0, true);
    const signAndExponent = view.getUint16(8, true);
    const exponent = signAndExponent & 0x7fff;
    const sign = signAndExponent & 0x8000 ? -1 : 1;
    if (exponent === 0x7fff) return mantissa << 1n === 0n || mantissa === 1n << 63n ? sign * Infinity : Number.NaN;
    return sign * Number(mantissa) * 2 ** -63 * 2 ** (exponent - 16383);
  }
  return undefined;
}

/** undefined for formats other than binary32 and binary64. */
export function encodeFloat(value: number, type: BaseType): Uint8Array | undefined {
  const bytes = new Uint8Array(type.size);
  const view = new DataView(bytes.buffer);
  if (type.size === 4) view.setFloat32(0, value, true);
  else if (type.size === 8) view.setFloat64(0, value, true);
  else return undefined;
  return bytes;
}
