/** Types of C's literals. */
import type { Node } from './syntax.ts';
import type { BaseType, DataModel } from './types.ts';

/** C11 6.4.4.1: the first type of the list that holds the value. */
export function literalType(
  { value, decimal, suffix }: Extract<Node, { kind: 'integer' }>,
  model: DataModel,
): BaseType {
  const unsigned = suffix.includes('u');
  const longs = suffix.replace('u', '').length;
  const pairs = [
    [model.int, model.unsignedInt],
    [model.long, model.unsignedLong],
    [model.longLong, model.unsignedLongLong],
  ] as const;
  for (const [signedType, unsignedType] of pairs.slice(longs)) {
    const bits = BigInt(signedType.size * 8);
    if (!unsigned && value >> (bits - 1n) === 0n) return signedType;
    if ((unsigned || !decimal) && value >> bits === 0n) return unsignedType;
  }
  return model.unsignedLongLong;
}
