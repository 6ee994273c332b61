/** Walks the linked lists of kernels: `list_head` rings, and `hlist` chains that end with NULL. */
import type { Type } from '../symbols/api.ts';
import { addressOf, dereference, member } from './access.ts';
import { ExpressionError } from './api.ts';
import { fromBigInt } from './bytes.ts';
import { type Environment, load, type Operand, pointerTo } from './operands.ts';
import { rvalue } from './storage.ts';
import { isAggregate, membersOf, strip } from './types.ts';

/** A longer list is a broken one, or more than anybody reads. */
const MOST_ENTRIES = 10_000;

/**
 * Pointers to the entries of a list, as an array: each is `type` at `offset` bytes before its link. Stops at the head, at
 * NULL, and at a link that was met before.
 */
export async function walkList(
  head: Operand,
  type: Type,
  offset: bigint,
  environment: Environment,
  at: number,
): Promise<Operand> {
  const { model } = environment;
  const root = strip(head.type).kind === 'pointer' ? await dereference(head, environment, at) : head;
  const plain = strip(root.type);
  const link = isAggregate(plain)
    ? membersOf(plain).find(({ name }) => name === 'next' || name === 'first')
    : undefined;
  if (!link) throw new ExpressionError('The head of a list has a member "next" or "first".', at);
  const start = addressOf(root, environment, at).value;
  const seen = new Set<bigint>([start]);
  const entries: bigint[] = [];
  let node = await load(await member(root, link.name, environment, at), environment, at);
  while (typeof node.value === 'bigint' && node.value !== 0n && !seen.has(node.value)) {
    if (entries.length >= MOST_ENTRIES)
      throw new ExpressionError(`The list has more than ${MOST_ENTRIES} entries.`, at);
    seen.add(node.value);
    entries.push(BigInt.asUintN(model.pointerSize * 8, node.value - offset));
    const current: Operand = rvalue(node.type, fromBigInt(node.value, model.pointerSize));
    node = await load(await member(current, 'next', environment, at), environment, at);
  }
  const bytes = Buffer.concat(entries.map((entry) => fromBigInt(entry, model.pointerSize)));
  return rvalue({ kind: 'array', element: pointerTo(type, model), count: entries.length }, bytes);
}
