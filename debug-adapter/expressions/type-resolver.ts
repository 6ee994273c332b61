/** Written type names to types. */
import type { Type } from '../symbols/api.ts';
import { type EvaluationContext, ExpressionError } from './api.ts';
import { typedefNamed } from './lookup.ts';
import { isTypeNode, type Node, type TypeNode } from './syntax.ts';
import { builtinType, type DataModel, sizeOf } from './types.ts';

/** What only the evaluator can tell. */
interface Operands {
  /** An array's size. */
  constant(node: Node): Promise<bigint>;
  /** Without touching memory. */
  typeOf(node: Node): Promise<Type>;
}

export async function resolveType(
  node: TypeNode,
  context: EvaluationContext,
  model: DataModel,
  operands: Operands,
): Promise<Type> {
  const resolve = (inner: TypeNode) => resolveType(inner, context, model, operands);
  switch (node.kind) {
    case 'named-type':
      return named(node.words, context, model, node.at);
    case 'tagged-type':
      return tagged(node.tag, node.name, context, node.at);
    case 'typeof-type':
      return isTypeNode(node.of) ? resolve(node.of) : operands.typeOf(node.of);
    case 'pointer-type':
      return { kind: 'pointer', size: model.pointerSize, target: await resolve(node.target) };
    case 'qualified-type':
      return { kind: node.qualifier, target: await resolve(node.target) };
    case 'function-type': {
      const parameters = await Promise.all(node.parameters.map(resolve));
      return { kind: 'function', returns: await resolve(node.returns), parameters, variadic: node.variadic };
    }
    case 'array-type': {
      const element = await resolve(node.element);
      if (sizeOf(element) === undefined) throw new ExpressionError('Array elements need a complete type.', node.at);
      if (!node.count) return { kind: 'array', element };
      return { kind: 'array', element, count: elementCount(await operands.constant(node.count), node.at) };
    }
  }
}

/** Throws ExpressionError unless a count of array elements is positive and makes some sense. */
export function elementCount(count: bigint, at: number): number {
  if (count <= 0n || count > 0x7fffffffn) {
    throw new ExpressionError(`Invalid number ${count} of array elements.`, at);
  }
  return Number(count);
}

function named(words: readonly string[], context: EvaluationContext, model: DataModel, at: number): Type {
  const [word = ''] = words;
  const type = (words.length === 1 ? typedefNamed(word, context) : undefined) ?? builtinType(words, model);
  if (!type) throw new ExpressionError(`No type named ${words.join(' ')}.`, at);
  return type;
}

function tagged(tag: 'struct' | 'union' | 'enum', name: string, { symbols }: EvaluationContext, at: number): Type {
  const type = symbols?.typeNamed(name, tag);
  if (!type) throw new ExpressionError(`No ${tag} type named ${name}.`, at);
  return type;
}
