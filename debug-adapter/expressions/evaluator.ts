/** Walks a syntax tree. Values stay where they are (lvalues) until an operator needs what is in them. */
import type { Type } from '../symbols/api.ts';
import { addressOf, dereference, element, member } from './access.ts';
import { type EvaluationContext, ExpressionError } from './api.ts';
import { arithmetic } from './arithmetic.ts';
import { assignTo, castTo } from './assignment.ts';
import { walkList } from './list-walk.ts';
import { literalType } from './literals.ts';
import { namedValue, resolveName, resolveScoped } from './lookup.ts';
import { type Environment, fromScalar, load, loadPromoted, type Operand, unknownTypeError } from './operands.ts';
import { pointerArithmetic } from './pointer-arithmetic.ts';
import { registerValue } from './registers.ts';
import { commonType, convert, type Scalar } from './scalars.ts';
import { rvalue } from './storage.ts';
import { type ArithmeticOperator, isTypeNode, type Node, type TypeNode } from './syntax.ts';
import { elementCount, resolveType } from './type-resolver.ts';
import { builtinType, type DataModel, isFloat, isInteger, sizeOf, strip, unknownData } from './types.ts';

type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;

export class Evaluator {
  constructor(private readonly environment: Environment) {}

  /** Throws ExpressionError at the column of the node that fails. */
  async evaluate(node: Node): Promise<Operand> {
    const { context, model } = this.environment;
    switch (node.kind) {
      case 'integer':
        return fromScalar({ type: literalType(node, model), value: node.value }, node.at);
      case 'float':
        return fromScalar({ type: node.single ? model.float : model.double, value: node.value }, node.at);
      case 'character':
        return fromScalar({ type: model.char, value: BigInt(node.value) }, node.at);
      case 'string':
        return stringValue(node.bytes, model);
      case 'name':
        if (node.scope !== undefined)
          return namedValue(resolveScoped(node.scope, node.name, context, node.at), context);
        return this.referenced(await namedValue(resolveName(node.name, context, node.at), context), node.at);
      case 'register':
        return registerValue(node.name, context, model, node.at);
      case 'unary':
        return this.unary(node);
      case 'step':
        return this.step(node);
      case 'binary':
        return this.binary(node);
      case 'assign':
        return this.assign(node);
      case 'conditional':
        return this.conditional(node);
      case 'cast':
        return castTo(await this.evaluate(node.operand), await this.type(node.type), this.environment, node.at);
      case 'memory': {
        const address = await load(await this.evaluate(node.operand), this.environment, node.at);
        if (typeof address.value !== 'bigint') throw new ExpressionError('An address must be an integer.', node.at);
        const place = { kind: 'memory', address: BigInt.asUintN(64, address.value) } as const;
        return { type: await this.type(node.type), place, expression: '' };
      }
      case 'sizeof':
        return this.sizeOf(node);
      case 'index':
        return element(await this.evaluate(node.object), await this.evaluate(node.index), this.environment, node.at);
      case 'member': {
        const object = await this.evaluate(node.object);
        return this.referenced(await member(object, node.name, this.environment, node.at), node.at);
      }
      case 'list': {
        const offset = await load(await this.evaluate(node.offset), this.environment, node.at);
        const head = await this.evaluate(node.head);
        return walkList(head, await this.type(node.type), BigInt(offset.value), this.environment, node.at);
      }
      case 'call':
        throw new ExpressionError(
          'Functions of the guest cannot be called: that would change what is debugged.',
          node.at,
        );
    }
  }

  /** The type that a node would have, found without touching memory or registers. */
  private async typeOf(node: Node): Promise<Type> {
    const dry = { ...this.environment, context: untouched(this.environment.context), typeOnly: true };
    return (await new Evaluator(dry).evaluate(node)).type;
  }

  private type(node: TypeNode): Promise<Type> {
    const { context, model } = this.environment;
    return resolveType(node, context, model, {
      constant: async (count) => {
        const { value } = await load(await this.evaluate(count), this.environment, count.at);
        if (typeof value !== 'bigint') throw new ExpressionError('The size of an array must be an integer.', count.at);
        return value;
      },
      typeOf: (operand) => this.typeOf(operand),
    });
  }

  /** C++ references stand for what they refer to. */
  private async referenced(operand: Operand, at: number): Promise<Operand> {
    const plain = strip(operand.type);
    return plain.kind === 'pointer' && plain.reference ? dereference(operand, this.environment, at) : operand;
  }

  private async unary({ operator, operand, at }: NodeOf<'unary'>): Promise<Operand> {
    const { model } = this.environment;
    const inner = await this.evaluate(operand);
    if (operator === '&') return fromScalar(addressOf(inner, this.environment, at), at);
    if (operator === '*') return this.referenced(await dereference(inner, this.environment, at), at);
    const scalar = await loadPromoted(inner, this.environment, at);
    const { type, value } = scalar;
    if (operator === '!') return fromScalar({ type: model.int, value: value ? 0n : 1n }, at);
    const plain = strip(type);
    if (plain.kind === 'pointer' && operator !== '+') {
      throw new ExpressionError(`Operator ${operator} does not take a pointer; cast it to an integer first.`, at);
    }
    if (operator === '+') return fromScalar(scalar, at);
    if (typeof value === 'number') {
      if (operator === '~') throw new ExpressionError('Operator ~ does not take floating-point numbers.', at);
      return fromScalar({ type, value: -value }, at);
    }
    return fromScalar(convert({ type, value: operator === '-' ? -value : ~value }, type, at), at);
  }

  private async step({ operand, by, prefix, at }: NodeOf<'step'>): Promise<Operand> {
    const target = await this.evaluate(operand);
    const before = await load(target, this.environment, at);
    const one: Scalar = { type: this.environment.model.int, value: 1n };
    await assignTo(target, fromScalar(this.compute(by > 0 ? '+' : '-', before, one, at), at), this.environment, at);
    return prefix ? target : fromScalar(before, at);
  }

  private compute(operator: ArithmeticOperator, left: Scalar, right: Scalar, at: number): Scalar {
    const { model, typeOnly } = this.environment;
    if (typeOnly && right.value === 0n) return this.compute(operator, left, { ...right, value: 1n }, at);
    const pointers = strip(left.type).kind === 'pointer' || strip(right.type).kind === 'pointer';
    return (pointers ? pointerArithmetic : arithmetic)(operator, left, right, model, at);
  }

  private async binary({ operator, left, right, at }: NodeOf<'binary'>): Promise<Operand> {
    const { model } = this.environment;
    const first = await this.evaluate(left);
    if (operator === ',') return this.evaluate(right);
    if (operator === '@') return this.range(first, right, at);
    if (operator === '&&' || operator === '||') {
      const truth = Boolean((await load(first, this.environment, at)).value);
      const decided = truth === (operator === '||');
      const value = decided ? truth : Boolean((await load(await this.evaluate(right), this.environment, at)).value);
      return fromScalar({ type: model.int, value: value ? 1n : 0n }, at);
    }
    const a = await loadPromoted(first, this.environment, left.at);
    const b = await loadPromoted(await this.evaluate(right), this.environment, right.at);
    return fromScalar(this.compute(operator, a, b, at), at);
  }

  /** `first@count`: an array of `count` objects like the first. */
  private async range(first: Operand, count: Node, at: number): Promise<Operand> {
    if (first.place.kind !== 'memory' || first.bits) {
      throw new ExpressionError('Only values in memory can be extended with @.', at);
    }
    if (first.type === unknownData) throw unknownTypeError(first, at);
    const { value } = await load(await this.evaluate(count), this.environment, count.at);
    if (typeof value !== 'bigint') throw new ExpressionError('Invalid number of repetitions.', at);
    if (sizeOf(first.type) === undefined) throw new ExpressionError('Array elements need a complete type.', at);
    return {
      type: { kind: 'array', element: first.type, count: elementCount(value, at) },
      place: first.place,
      expression: '',
    };
  }

  private async assign({ operator, left, right, at }: NodeOf<'assign'>): Promise<Operand> {
    const target = await this.evaluate(left);
    let value = await this.evaluate(right);
    if (operator) {
      const a = await loadPromoted(target, this.environment, left.at);
      const b = await loadPromoted(value, this.environment, right.at);
      value = fromScalar(this.compute(operator, a, b, at), at);
    }
    await assignTo(target, value, this.environment, at);
    return target;
  }

  private async conditional({ test, then, otherwise, at }: NodeOf<'conditional'>): Promise<Operand> {
    const truth = Boolean((await load(await this.evaluate(test), this.environment, at)).value);
    const chosen = await this.evaluate(truth ? then : otherwise);
    const other = await this.typeOf(truth ? otherwise : then);
    const plain = strip(chosen.type);
    const isNumber = (type: Type) => isInteger(strip(type)) || isFloat(strip(type));
    if (isNumber(plain) && strip(other).kind === 'pointer') {
      return fromScalar(convert(await load(chosen, this.environment, at), other, at), at);
    }
    if (!isNumber(plain) || !isNumber(other)) return chosen;
    const scalar = await loadPromoted(chosen, this.environment, at);
    const zero = { type: other, value: isFloat(strip(other)) ? 0 : 0n };
    const otherType = strip((await loadPromoted(fromScalar(zero, at), this.environment, at)).type);
    return fromScalar(convert(scalar, commonType(strip(scalar.type), otherType), at), at);
  }

  private async sizeOf({ of, at }: NodeOf<'sizeof'>): Promise<Operand> {
    const { model } = this.environment;
    const type = isTypeNode(of) ? await this.type(of) : await this.typeOf(of);
    const kind = strip(type).kind;
    if (type === unknownData)
      throw new ExpressionError('The symbol has unknown type; cast it to its declared type.', at);
    const size = kind === 'void' || kind === 'function' ? 1 : sizeOf(type);
    if (size === undefined) throw new ExpressionError('Invalid application of sizeof to an incomplete type.', at);
    return fromScalar({ type: builtinType(['size_t'], model) ?? model.unsignedLong, value: BigInt(size) }, at);
  }
}

function stringValue(bytes: Uint8Array, model: DataModel): Operand {
  const terminated = new Uint8Array(bytes.length + 1);
  terminated.set(bytes);
  return rvalue({ kind: 'array', element: model.char, count: terminated.length }, terminated);
}

/** A context in which nothing is read or written. Values are not zero, so that `x / y` has a type. */
function untouched(context: EvaluationContext): EvaluationContext {
  const { symbols, frame } = context;
  return {
    symbols,
    frame,
    registerNames: () => context.registerNames(),
    readRegister: async (name) => (await context.readRegister(name))?.map(() => 1),
    readMemory: async (_, length) => new Uint8Array(length).fill(1),
    writeMemory: async () => {},
    writeRegister: async () => {},
  };
}
