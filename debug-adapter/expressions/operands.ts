/** Loads values as scalars: arrays and functions decay to pointers, C11 6.3.2. */
import type { Type } from '../symbols/api.ts';
import { type EvaluationContext, ExpressionError, type Value } from './api.ts';
import { decodeScalar, encodeScalar, promote, type Scalar } from './scalars.ts';
import { readValue, rvalue } from './storage.ts';
import { type DataModel, isAggregate, modelOf, stride, strip, unknownData } from './types.ts';

/** A value on its way through an expression. */
export type Operand = Value & { readonly enumerator?: true };

/** What every step of an evaluation needs. */
export interface Environment {
  readonly context: EvaluationContext;
  readonly model: DataModel;
  /** Only the type is asked for: what the values are must not matter. */
  readonly typeOnly?: boolean;
}

export function environmentOf(context: EvaluationContext): Environment {
  return { context, model: modelOf(context.symbols) };
}

/** The operand as a number or pointer; throws for structs and for symbols of unknown type. */
export async function load(operand: Operand, { context, model }: Environment, at: number): Promise<Scalar> {
  const { type, place } = operand;
  const plain = strip(type);
  if (type === unknownData) throw unknownTypeError(operand, at);
  if (plain.kind === 'array' || plain.kind === 'function') {
    if (place.kind !== 'memory') {
      throw new ExpressionError('Attempt to take address of value not located in memory.', at);
    }
    const target = plain.kind === 'array' ? plain.element : type;
    return { type: pointerTo(target, model), value: place.address };
  }
  if (isAggregate(plain) || plain.kind === 'void') {
    throw new ExpressionError('Argument to arithmetic operation not a number or boolean.', at);
  }
  const value = decodeScalar(await readValue(operand, context, at), type);
  if (value === undefined) throw new ExpressionError('Values of this type cannot be computed with.', at);
  if (operand.bits && typeof value === 'bigint') return { type, value: signExtend(operand, value) };
  return { type, value };
}

/** `readValue` moves a bit-field down to bit 0 but cannot know the meaning of its highest bit. */
function signExtend({ type, bits }: Operand, value: bigint): bigint {
  const size = bits?.size ?? 64;
  return decodeScalar(bytesOf(value), type, { offset: 0, size }) as bigint;
}

function bytesOf(value: bigint): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  view.setBigUint64(8, BigInt.asUintN(64, value >> 64n), true);
  return bytes;
}

/** As {@link load}, after integer promotion. */
export async function loadPromoted(operand: Operand, environment: Environment, at: number): Promise<Scalar> {
  const scalar = await load(operand, environment, at);
  const { model } = environment;
  if (operand.enumerator && typeof scalar.value === 'bigint' && BigInt.asIntN(32, scalar.value) === scalar.value) {
    return { type: model.int, value: scalar.value };
  }
  return promote(scalar, model, operand.bits);
}

export function pointerTo(target: Type, model: DataModel): Type {
  return { kind: 'pointer', size: model.pointerSize, target };
}

export function fromScalar(scalar: Scalar, at: number): Operand {
  return rvalue(scalar.type, encodeScalar(scalar, at));
}

/** Bytes from one element to the next; throws for pointers to incomplete types. */
export function strideOf(type: Type, at: number): bigint {
  const size = stride(type);
  if (size === undefined) throw new ExpressionError('Cannot perform pointer math on incomplete types.', at);
  return BigInt(size);
}

/** gdb's advice for assembly symbols. */
export function unknownTypeError(operand: Operand, at: number): ExpressionError {
  const name = operand.expression === '' ? 'value' : operand.expression;
  return new ExpressionError(`'${name}' has unknown type; cast it to its declared type, as in (long)${name}.`, at);
}
