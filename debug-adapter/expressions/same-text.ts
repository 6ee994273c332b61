/** `name == "init"` for an array or pointer of characters: in C it compares addresses, which nobody means here. */
import type { Node } from './syntax.ts';

/** Each character is a comparison of its own. */
const LONGEST = 64;

/** The comparison of texts, up to the literal's NUL; undefined where neither side is a literal, or both are. */
export function sameText(node: Node): Node | undefined {
  if (node.kind !== 'binary' || (node.operator !== '==' && node.operator !== '!=')) return undefined;
  const { left, right, operator, at } = node;
  const [literal, text] = right.kind === 'string' ? [right, left] : [left, right];
  if (literal.kind !== 'string' || text.kind === 'string' || literal.bytes.length > LONGEST) return undefined;
  const integer = (value: number): Node => ({ kind: 'integer', value: BigInt(value), decimal: true, suffix: '', at });
  const byte = (index: number): Node => ({
    kind: 'cast',
    type: { kind: 'named-type', words: ['unsigned', 'char'], at },
    operand: { kind: 'index', object: text, index: integer(index), at },
    at,
  });
  const same = [...literal.bytes, 0]
    .map((value, index): Node => ({ kind: 'binary', operator: '==', left: byte(index), right: integer(value), at }))
    .reduce((all, each) => ({ kind: 'binary', operator: '&&', left: all, right: each, at }));
  return operator === '==' ? same : { kind: 'unary', operator: '!', operand: same, at };
}
