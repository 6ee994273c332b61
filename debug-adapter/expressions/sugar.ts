/**
 * What kernel sources write as macros, parsed to the expressions that the macros stand for: `offsetof`, `container_of`,
 * `per_cpu` and its relatives; and `$list`, which walks a list.
 */
import { offsetHere, offsetOfCpu } from './per-cpu.ts';
import type { Node, TypeNode } from './syntax.ts';
import type { TokenStream } from './token-stream.ts';

/** The parts of the grammar that are needed here. */
export interface Grammar {
  /** Without the comma operator. */
  expression(): Node;
  typeName(): TypeNode;
}

type Sugar = (tokens: TokenStream, grammar: Grammar, at: number) => Node;

const offsetOf: Sugar = (tokens, grammar, at) => {
  const type = grammar.typeName();
  tokens.expect(',');
  return offset(type, tokens, grammar, at);
};

const containerOf: Sugar = (tokens, grammar, at) => {
  const pointer = grammar.expression();
  tokens.expect(',');
  const type = grammar.typeName();
  tokens.expect(',');
  const start: Node = {
    kind: 'binary',
    operator: '-',
    left: asBytes(pointer, at),
    right: offset(type, tokens, grammar, at),
    at,
  };
  return { kind: 'cast', type: pointerTo(type, at), operand: start, at };
};

/** `per_cpu(variable, cpu)`. */
const perCpu: Sugar = (tokens, grammar, at) => {
  const variable = grammar.expression();
  tokens.expect(',');
  return variableAt(variable, offsetOfCpu(grammar.expression(), at), at);
};

/** `per_cpu_ptr(pointer, cpu)`. */
const perCpuPointer: Sugar = (tokens, grammar, at) => {
  const pointer = grammar.expression();
  tokens.expect(',');
  return moved(pointer, pointer, offsetOfCpu(grammar.expression(), at), at);
};

/** `this_cpu_read(variable)`. */
const thisCpu: Sugar = (_, grammar, at) => variableAt(grammar.expression(), offsetHere(at), at);

/** `this_cpu_ptr(pointer)`. */
const thisCpuPointer: Sugar = (_, grammar, at) => {
  const pointer = grammar.expression();
  return moved(pointer, pointer, offsetHere(at), at);
};

/** `$list(head, struct type, member)`: `head` is the list's head, or a pointer to it. */
const list: Sugar = (tokens, grammar, at) => {
  const head = grammar.expression();
  tokens.expect(',');
  const type = grammar.typeName();
  tokens.expect(',');
  return { kind: 'list', head, type, offset: offset(type, tokens, grammar, at), at };
};

const SUGAR: ReadonlyMap<string, Sugar> = new Map([
  ['offsetof', offsetOf],
  ['__builtin_offsetof', offsetOf],
  ['container_of', containerOf],
  ['list_entry', containerOf],
  ['per_cpu', perCpu],
  ['per_cpu_ptr', perCpuPointer],
  ['this_cpu_read', thisCpu],
  ['raw_cpu_read', thisCpu],
  ['this_cpu_ptr', thisCpuPointer],
  ['raw_cpu_ptr', thisCpuPointer],
  ['$list', list],
]);

/** Names that are parsed here, when an open parenthesis follows. */
export const sugarNames: readonly string[] = [...SUGAR.keys()];

/** Undefined, and nothing taken, where the next tokens are something else. */
export function sugar(tokens: TokenStream, grammar: Grammar): Node | undefined {
  const made = SUGAR.get(tokens.peek().text);
  if (!made || tokens.peek(1).text !== '(') return undefined;
  const { at } = tokens.next();
  tokens.next();
  const node = made(tokens, grammar, at);
  tokens.expect(')');
  tokens.count();
  return node;
}

/** `(unsigned long)&((type *)0)->member`, the member being any chain of members and elements. */
function offset(type: TypeNode, tokens: TokenStream, grammar: Grammar, at: number): Node {
  const zero: Node = { kind: 'integer', value: 0n, decimal: true, suffix: '', at };
  let object: Node = { kind: 'memory', type, operand: zero, at };
  do {
    const member = tokens.identifier('the name of a member');
    object = { kind: 'member', object, name: member.text, at: member.at };
    while (tokens.take('[')) {
      object = { kind: 'index', object, index: grammar.expression(), at: member.at };
      tokens.expect(']');
      tokens.count();
    }
    tokens.count();
  } while (tokens.take('.'));
  return { kind: 'cast', type: named('unsigned long', at), operand: address(object, at), at };
}

const named = (words: string, at: number): TypeNode => ({ kind: 'named-type', words: words.split(' '), at });
const pointerTo = (target: TypeNode, at: number): TypeNode => ({ kind: 'pointer-type', target, at });
const address = (operand: Node, at: number): Node => ({ kind: 'unary', operator: '&', operand, at });
const typeOf = (of: Node, at: number): TypeNode => ({ kind: 'typeof-type', of, at });

function asBytes(operand: Node, at: number): Node {
  return { kind: 'cast', type: pointerTo(named('char', at), at), operand, at };
}

/** `like`'s type at `pointer` and `distance` bytes on. */
function moved(like: Node, pointer: Node, distance: Node, at: number): Node {
  const operand: Node = { kind: 'binary', operator: '+', left: asBytes(pointer, at), right: distance, at };
  return { kind: 'cast', type: typeOf(like, at), operand, at };
}

function variableAt(variable: Node, distance: Node, at: number): Node {
  const pointer = address(variable, at);
  return { kind: 'unary', operator: '*', operand: moved(pointer, pointer, distance, at), at };
}
