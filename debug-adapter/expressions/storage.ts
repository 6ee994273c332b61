/** Reads and writes the bytes of values wherever they live, and takes parts of places. */
import type { Place, Type } from '../symbols/api.ts';
import { type EvaluationContext, ExpressionError, type Value } from './api.ts';
import { type BitRange, bytesOfBits, extractBits, fromBigInt, insertBits, toBigInt } from './bytes.ts';
import { sizeOf } from './types.ts';

/** More than anything an expression needs at once; keeps a hostile type from choosing an allocation. */
const MAX_BYTES = 1 << 20;

/** A value cannot be had; told apart because values are shown with a word in its place. */
export class UnavailableError extends ExpressionError {
  constructor(
    readonly reason: 'not mapped' | 'optimized out' | 'not available',
    message: string,
    at: number,
  ) {
    super(message, at);
  }
}

/** A byte string as a value that lives nowhere. */
export function rvalue(type: Type, bytes: Uint8Array): Value {
  return { type, place: { kind: 'value', bytes }, expression: '' };
}

/** Where a part of a value lives. Parts of registers are bit ranges. */
export function partOf(
  { place, bits }: Value,
  offset: number,
  size: number,
  part?: BitRange,
): { place: Place; bits?: BitRange } {
  const inside = part && { offset: part.offset, size: part.size };
  if (bits || place.kind === 'register') {
    const start = (bits?.offset ?? 0) + offset * 8 + (inside?.offset ?? 0);
    return { place, bits: { offset: start, size: inside?.size ?? size * 8 } };
  }
  const length = inside ? bytesOfBits(inside) : size;
  return { place: partOfPlace(place, offset, length), ...(inside && { bits: inside }) };
}

function partOfPlace(place: Place, offset: number, size: number): Place {
  switch (place.kind) {
    case 'memory':
      return { kind: 'memory', address: BigInt.asUintN(64, place.address + BigInt(offset)) };
    case 'value':
      return { kind: 'value', bytes: place.bytes.subarray(offset, offset + size) };
    case 'pieces': {
      const pieces = [];
      let start = 0;
      for (const piece of place.pieces) {
        const from = Math.max(offset, start);
        const to = Math.min(offset + size, start + piece.size);
        if (from < to) pieces.push({ place: partOfPlace(piece.place, from - start, to - from), size: to - from });
        start += piece.size;
      }
      const [only] = pieces;
      return pieces.length === 1 && only ? only.place : { kind: 'pieces', pieces };
    }
    default:
      return place;
  }
}

/** The bytes of a value of a complete type; a bit-field's are those of its type, moved down to bit 0. */
export async function readValue(value: Value, context: EvaluationContext, at: number): Promise<Uint8Array> {
  const size = sizeOf(value.type);
  if (size === undefined || size > MAX_BYTES) {
    throw new ExpressionError(size === undefined ? 'Invalid use of an incomplete type.' : 'Value is too large.', at);
  }
  if (!value.bits) return readPlace(value.place, size, context, at);
  const storage = await readPlace(value.place, bytesOfBits(value.bits), context, at);
  return fromBigInt(extractBits(storage, value.bits), size);
}

/** Exactly `size` bytes; throws UnavailableError. */
async function readPlace(place: Place, size: number, context: EvaluationContext, at: number): Promise<Uint8Array> {
  switch (place.kind) {
    case 'memory': {
      const bytes = await context.readMemory(place.address, size);
      if (bytes.length < size) {
        const address = `0x${(place.address + BigInt(bytes.length)).toString(16)}`;
        throw new UnavailableError('not mapped', `Cannot access memory at address ${address}`, at);
      }
      return bytes.subarray(0, size);
    }
    case 'register': {
      const bytes = await context.readRegister(place.name);
      if (!bytes) {
        throw new UnavailableError('not available', `Register $${place.name} is not known in this frame.`, at);
      }
      return fromBigInt(toBigInt(bytes), size);
    }
    case 'value':
      return resized(place.bytes, size);
    case 'pieces': {
      const bytes = new Uint8Array(size);
      let offset = 0;
      for (const piece of place.pieces) {
        const length = Math.min(piece.size, size - offset);
        if (length <= 0) break;
        bytes.set(await readPlace(piece.place, length, context, at), offset);
        offset += length;
      }
      if (offset < size) throw optimizedOut(at);
      return bytes;
    }
    case 'optimized-out':
      throw optimizedOut(at);
  }
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length >= size) return bytes.subarray(0, size);
  const wider = new Uint8Array(size);
  wider.set(bytes);
  return wider;
}

const optimizedOut = (at: number) => new UnavailableError('optimized out', 'Value has been optimized out.', at);

/** Stores the bytes of the value's type; throws ExpressionError for what cannot be assigned. */
export async function writeValue(
  target: Value,
  bytes: Uint8Array,
  context: EvaluationContext,
  at: number,
): Promise<void> {
  const { place, bits } = target;
  switch (place.kind) {
    case 'memory': {
      if (!bits) return context.writeMemory(place.address, bytes);
      const storage = await readPlace(place, bytesOfBits(bits), context, at);
      return context.writeMemory(place.address, insertBits(storage, bits, toBigInt(bytes)));
    }
    case 'register': {
      const register = await context.readRegister(place.name);
      if (!register) {
        throw new UnavailableError('not available', `Register $${place.name} is not known in this frame.`, at);
      }
      const range = bits ?? { offset: 0, size: bytes.length * 8 };
      if (range.offset + range.size > register.length * 8) {
        throw new ExpressionError(`The value does not fit into register $${place.name}.`, at);
      }
      return context.writeRegister(place.name, insertBits(register, range, toBigInt(bytes)));
    }
    case 'value':
      throw new ExpressionError('Left operand of assignment is not an lvalue.', at);
    case 'pieces':
      throw new ExpressionError('A value that lives in several places cannot be assigned.', at);
    case 'optimized-out':
      throw optimizedOut(at);
  }
}
