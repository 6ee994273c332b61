/** The postfix and address operators: members, elements, dereference, address-of. */
import type { Type } from '../symbols/api.ts';
import { ExpressionError } from './api.ts';
import { type Environment, load, type Operand, pointerTo, strideOf } from './operands.ts';
import { partOf } from './storage.ts';
import { isAggregate, isInteger, membersOf, sizeOf, strip, unknownData } from './types.ts';

/** `object.name` and `object->name`: like gdb, either works on a struct and on a pointer to one. */
export async function member(object: Operand, name: string, environment: Environment, at: number): Promise<Operand> {
  const plain = strip(object.type);
  if (!isAggregate(plain)) {
    if (plain.kind !== 'pointer' && plain.kind !== 'array') {
      throw new ExpressionError(`Attempt to extract a component of a value that is not a structure.`, at);
    }
    const inner = plain.kind === 'pointer' ? plain.target : plain.element;
    if (!isAggregate(strip(inner))) {
      throw new ExpressionError(`Attempt to extract a component of a value that is not a structure pointer.`, at);
    }
    return member(await dereference(object, environment, at), name, environment, at);
  }
  const found = membersOf(plain).find((each) => each.name === name);
  if (!found) {
    throw new ExpressionError(
      plain.declaration
        ? `The layout of ${plain.kind} ${plain.name ?? '{...}'} is not in the symbols.`
        : `There is no member named ${name}.`,
      at,
    );
  }
  const part = partOf(object, found.offset, sizeOf(found.type) ?? 0, found.bits);
  return { type: found.type, ...part, expression: '' };
}

/** `*object`. An integer is taken for the address of a long, as in gdb. */
export async function dereference(object: Operand, environment: Environment, at: number): Promise<Operand> {
  const plain = strip(object.type);
  const { model } = environment;
  if (plain.kind === 'function') return object;
  if (plain.kind === 'array' && object.place.kind !== 'memory') {
    return elementOfValue(object, plain.element, plain.count, 0n, at);
  }
  const scalar = await load(object, environment, at);
  const pointed = strip(scalar.type);
  if (typeof scalar.value !== 'bigint') {
    throw new ExpressionError('Attempt to take contents of a non-pointer value.', at);
  }
  if (isInteger(pointed)) return at_(model.long, BigInt.asUintN(64, scalar.value));
  if (pointed.kind !== 'pointer') throw new ExpressionError('Attempt to take contents of a non-pointer value.', at);
  if (strip(pointed.target).kind === 'void' && pointed.target !== unknownData) {
    throw new ExpressionError('Attempt to take contents of a void pointer; cast it to a pointer type.', at);
  }
  return at_(pointed.target, scalar.value);
}

const at_ = (type: Type, address: bigint): Operand => ({
  type,
  place: { kind: 'memory', address },
  expression: '',
});

/** `object[index]`, also written `index[object]`. Bounds of arrays in memory are not checked, as in C. */
export async function element(object: Operand, index: Operand, environment: Environment, at: number): Promise<Operand> {
  const plain = strip(object.type);
  const isContainer = plain.kind === 'array' || plain.kind === 'pointer';
  if (!isContainer) {
    const other = strip(index.type).kind;
    if (other === 'array' || other === 'pointer') return element(index, object, environment, at);
    throw new ExpressionError('Cannot subscript something that is neither an array nor a pointer.', at);
  }
  const { value, type } = await load(index, environment, at);
  if (typeof value !== 'bigint' || !isInteger(strip(type))) {
    throw new ExpressionError('An array index must be an integer.', at);
  }
  if (plain.kind === 'array' && object.place.kind !== 'memory') {
    return elementOfValue(object, plain.element, plain.count, value, at);
  }
  const pointer = await load(object, environment, at);
  const target = plain.kind === 'array' ? plain.element : plain.target;
  const address = (pointer.value as bigint) + value * strideOf(target, at);
  return at_(target, BigInt.asUintN(environment.model.pointerSize * 8, address));
}

function elementOfValue(object: Operand, type: Type, count: number | undefined, index: bigint, at: number): Operand {
  if (index < 0n || index >= BigInt(count ?? 0)) {
    throw new ExpressionError(`No element ${index}: the array is not in memory and has ${count ?? 0}.`, at);
  }
  const size = sizeOf(type) ?? 0;
  return { type, ...partOf(object, Number(index) * size, size), expression: '' };
}

/** `&object` as a type and an address. */
export function addressOf(
  { place, bits, type }: Operand,
  { model }: Environment,
  at: number,
): { type: Type; value: bigint } {
  if (bits && place.kind === 'memory') throw new ExpressionError('Cannot take the address of a bit-field.', at);
  if (place.kind !== 'memory') {
    throw new ExpressionError('Attempt to take address of value not located in memory.', at);
  }
  return { type: pointerTo(type, model), value: place.address };
}
