/** Casts and assignments between values of all types, C11 6.5.4 and 6.5.16. */
import type { Type } from '../symbols/api.ts';
import { ExpressionError } from './api.ts';
import { type Environment, fromScalar, load, type Operand } from './operands.ts';
import { convert, encodeScalar } from './scalars.ts';
import { readValue, rvalue, writeValue } from './storage.ts';
import { typeName } from './type-name.ts';
import { isAggregate, isCharacter, sizeOf, strip, unknownCode, unknownData } from './types.ts';

/** `(type)operand`. A symbol of unknown type is reread as the type, as gdb does. */
export async function castTo(operand: Operand, type: Type, environment: Environment, at: number): Promise<Operand> {
  if (operand.type === unknownData || operand.type === unknownCode) return { ...operand, type };
  const plain = strip(type);
  if (plain.kind === 'void') return rvalue(type, new Uint8Array(0));
  if (isAggregate(plain) || plain.kind === 'array' || plain.kind === 'function') {
    if (sameAggregate(operand.type, type)) return { ...operand, type };
    throw new ExpressionError('Invalid cast.', at);
  }
  return fromScalar(convert(await load(operand, environment, at), type, at), at);
}

/** Structs of one tag and size, also when they come from different units; arrays of them. */
function sameAggregate(left: Type, right: Type): boolean {
  const [a, b] = [strip(left), strip(right)];
  if (a === b) return true;
  if (isAggregate(a) && isAggregate(b)) {
    return a.kind === b.kind && a.name !== undefined && a.name === b.name && a.size === b.size;
  }
  if (a.kind === 'array' && b.kind === 'array') {
    return a.count === b.count && typeName(a.element) === typeName(b.element);
  }
  return false;
}

/** `target = value` with C's conversions; throws ExpressionError for what cannot be assigned. */
export async function assignTo(target: Operand, value: Operand, environment: Environment, at: number): Promise<void> {
  const { context } = environment;
  const plain = strip(target.type);
  if (target.type === unknownData || plain.kind === 'function' || plain.kind === 'void') {
    throw new ExpressionError('Left operand of assignment is not an lvalue.', at);
  }
  if (isAggregate(plain) || plain.kind === 'array') {
    const bytes = sameAggregate(target.type, value.type)
      ? await readValue(value, context, at)
      : await stringFor(target.type, value, environment, at);
    return writeValue(target, bytes, context, at);
  }
  const converted = convert(await load(value, environment, at), target.type, at);
  await writeValue(target, encodeScalar(converted, at), context, at);
}

/** Bytes for a character array from a string that fits, zero-filled as by an initializer. */
async function stringFor(type: Type, value: Operand, { context }: Environment, at: number): Promise<Uint8Array> {
  const [target, source] = [strip(type), strip(value.type)];
  const size = sizeOf(type);
  if (target.kind !== 'array' || source.kind !== 'array' || size === undefined) {
    throw new ExpressionError(`Cannot assign ${typeName(value.type)} to ${typeName(type)}.`, at);
  }
  if (!isCharacter(target.element) || !isCharacter(source.element)) {
    throw new ExpressionError(`Cannot assign ${typeName(value.type)} to ${typeName(type)}.`, at);
  }
  const bytes = await readValue(value, context, at);
  const length = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  if (length > size) throw new ExpressionError(`The string does not fit into ${size} bytes.`, at);
  const filled = new Uint8Array(size);
  filled.set(bytes.subarray(0, length));
  return filled;
}
