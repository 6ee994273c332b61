/**
 * C expressions to gdb's agent expressions, which a stub evaluates by itself at each hit of a breakpoint. On the stack
 * every number has 64 bits, sign- or zero-extended from its type. What cannot be expressed is refused: it must be
 * evaluated here then.
 */
import type { StaticPlace, Type } from '../../symbols/api.ts';
import { isComparison } from '../arithmetic.ts';
import { literalType } from '../literals.ts';
import { type Found, type Named, resolveName, resolveScoped } from '../lookup.ts';
import { type Environment, pointerTo, strideOf } from '../operands.ts';
import { registerValue } from '../registers.ts';
import { commonType, decodeScalar } from '../scalars.ts';
import { type ArithmeticOperator, isTypeNode, type Node, type TypeNode } from '../syntax.ts';
import { typeName } from '../type-name.ts';
import { resolveType } from '../type-resolver.ts';
import {
  builtinType,
  isAggregate,
  isInteger,
  isSigned,
  membersOf,
  type PlainType,
  sizeOf,
  strip,
  unknownData,
} from '../types.ts';
import { Assembler } from './assembler.ts';
import { NotCompilable, Numbers, type Result, refused } from './numbers.ts';

type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;

export class AgentCompiler {
  readonly numbers: Numbers;

  constructor(
    /** Its context knows scopes and registers' widths; nothing is read. */
    private readonly environment: Environment,
    private readonly code: Assembler,
    /** A register's number in the target description. */
    private readonly registerNumber: (name: string) => number | undefined,
  ) {
    this.numbers = new Numbers(code, environment.model, registerNumber);
  }

  /** Leaves the expression's number on the stack. Throws {@link NotCompilable}, or ExpressionError for what is no C. */
  async number(node: Node): Promise<PlainType> {
    return this.numbers.load(await this.expression(node), node.at);
  }

  /** As {@link AgentCompiler.number}, with what the text of the number depends on beside its type. */
  async printable(node: Node): Promise<{ plain: PlainType; bits?: number; enumerator?: true }> {
    const result = await this.expression(node);
    const { bits, enumerator } = result;
    const plain = this.numbers.load(result, node.at);
    return { plain, ...(bits && { bits: bits.size }), ...(enumerator && { enumerator }) };
  }

  /** Takes all but the low `bits` from the number on the stack. */
  cutTo(bits: number): void {
    if (bits < 64) this.code.extend('zero_ext', bits);
  }

  private async expression(node: Node): Promise<Result> {
    const { context, model } = this.environment;
    switch (node.kind) {
      case 'integer':
        return this.constant(literalType(node, model), node.value);
      case 'character':
        return this.constant(model.char, BigInt(node.value));
      case 'name':
        return this.named(
          node.scope === undefined
            ? resolveName(node.name, context, node.at)
            : resolveScoped(node.scope, node.name, context, node.at),
          node.at,
        );
      case 'register': {
        const { type, place, bits } = await registerValue(node.name, context, model, node.at);
        if (place.kind !== 'register') throw new NotCompilable(`$${node.name} is no register of the machine`, node.at);
        return { type, where: 'register', name: place.name, ...(bits && { bits }) };
      }
      case 'unary':
        return this.unary(node);
      case 'binary':
        return this.binary(node);
      case 'conditional':
        return this.conditional(node);
      case 'cast': {
        const type = await this.type(node.type);
        const operand = await this.expression(node.operand);
        if (operand.type === unknownData) return { ...operand, type };
        await this.numbers.load(operand, node.at);
        return this.numbers.converted(type, node.at);
      }
      case 'memory':
        await this.number(node.operand);
        return { type: await this.type(node.type), where: 'memory' };
      case 'sizeof': {
        const type = isTypeNode(node.of) ? await this.type(node.of) : await this.typeOf(node.of);
        const kind = strip(type).kind;
        const size = kind === 'void' || kind === 'function' ? 1 : sizeOf(type);
        if (size === undefined) throw new NotCompilable(`the size of ${typeName(type)} is not known`, node.at);
        return this.constant(builtinType(['size_t'], model) ?? model.unsignedLong, BigInt(size));
      }
      case 'index': {
        const object = this.numbers.load(await this.expression(node.object), node.object.at);
        const index = this.numbers.load(await this.expression(node.index), node.index.at);
        const sum = this.pointers('+', object, index, node.at);
        const pointer = strip(sum.type);
        if (pointer.kind !== 'pointer') throw refused('this subscript', node.at);
        return { type: pointer.target, where: 'memory' };
      }
      case 'member':
        return this.member(await this.expression(node.object), node.name, node.at);
      case 'float':
        throw refused('a floating-point number', node.at);
      case 'string':
        throw refused('a string', node.at);
      case 'assign':
      case 'step':
        throw refused('an assignment', node.at);
      case 'list':
        throw refused('a walk through a list', node.at);
      case 'call':
        throw refused('a call', node.at);
    }
  }

  private constant(type: Type, value: bigint): Result {
    this.code.constant(value);
    return { type, where: 'stack' };
  }

  private named(named: Named, at: number): Result {
    if ('value' in named) return this.value(named.value, at);
    const { symbols, frame } = this.environment.context;
    const { variable } = named;
    const place = symbols?.placeAt(variable, frame.pc);
    if (!place) throw new NotCompilable(`where ${variable.name} lives is known only when the guest stands there`, at);
    return this.place(variable.type, place);
  }

  private value({ type, place, enumerator }: Found, at: number): Result {
    if (place.kind === 'memory') {
      this.code.constant(place.address);
      return { type, where: 'memory' };
    }
    const value = place.kind === 'value' ? decodeScalar(place.bytes, type) : undefined;
    if (typeof value !== 'bigint') throw refused('this name', at);
    return { ...this.constant(type, value), ...(enumerator && { enumerator }) };
  }

  private place(type: Type, place: StaticPlace): Result {
    switch (place.kind) {
      case 'value':
        return this.constant(type, place.number);
      case 'register':
        return { type, where: 'register', name: place.name, bits: { offset: 0, size: (sizeOf(type) ?? 8) * 8 } };
      case 'memory':
        this.code.constant(place.offset);
        if (place.base !== undefined) {
          this.code.register(this.numbers.numberOf(place.base, 0));
          this.code.emit('add');
          this.numbers.wrap(strip(pointerTo(type, this.environment.model)));
        }
        return { type, where: 'memory' };
    }
  }

  private member(object: Result, name: string, at: number): Result {
    const plain = strip(object.type);
    if (!isAggregate(plain)) {
      const pointer = plain.kind === 'pointer' || plain.kind === 'array' ? this.numbers.load(object, at) : plain;
      if (pointer.kind !== 'pointer' || !isAggregate(strip(pointer.target))) throw refused('a member of this', at);
      return this.member({ type: pointer.target, where: 'memory' }, name, at);
    }
    const found = membersOf(plain).find((each) => each.name === name);
    if (!found) throw new NotCompilable(`there is no member named ${name}`, at);
    if (object.where !== 'memory' || object.bits) throw refused('a struct that is not in memory', at);
    if (found.offset > 0) {
      this.code.constant(BigInt(found.offset));
      this.code.emit('add');
    }
    return { type: found.type, where: 'memory', ...(found.bits && { bits: found.bits }) };
  }

  private async unary({ operator, operand, at }: NodeOf<'unary'>): Promise<Result> {
    const { model } = this.environment;
    const inner = await this.expression(operand);
    switch (operator) {
      case '&':
        if (inner.where !== 'memory' || inner.bits) throw refused('the address of what is not in memory', at);
        return { type: pointerTo(inner.type, model), where: 'stack' };
      case '*': {
        const pointer = this.numbers.load(inner, at);
        if (pointer.kind === 'pointer') return { type: pointer.target, where: 'memory' };
        if (isInteger(pointer)) return { type: model.long, where: 'memory' };
        throw refused('the contents of what is no pointer', at);
      }
      case '!':
        this.numbers.load(inner, at);
        this.code.emit('log_not');
        return { type: model.int, where: 'stack' };
      default: {
        const type = this.numbers.promoted(inner, at);
        if (!isInteger(type)) throw refused(`operator ${operator} on a pointer`, at);
        if (operator === '~') this.code.emit('bit_not');
        if (operator === '-') {
          this.code.constant(0n);
          this.code.emit('swap', 'sub');
        }
        this.numbers.wrap(type);
        return { type, where: 'stack' };
      }
    }
  }

  private async binary({ operator, left, right, at }: NodeOf<'binary'>): Promise<Result> {
    const { model } = this.environment;
    if (operator === '&&' || operator === '||') {
      await this.number(left);
      if (operator === '&&') this.code.emit('log_not');
      const decided = this.code.jump('if_goto');
      await this.number(right);
      this.code.emit('log_not', 'log_not');
      const end = this.code.jump('goto');
      this.code.land(decided);
      this.code.constant(operator === '||' ? 1n : 0n);
      this.code.land(end);
      return { type: model.int, where: 'stack' };
    }
    if (operator === ',' || operator === '@') throw refused(`operator ${operator}`, at);
    const a = this.numbers.promoted(await this.expression(left), left.at);
    const b = this.numbers.promoted(await this.expression(right), right.at);
    if (a.kind === 'pointer' || b.kind === 'pointer') return this.pointers(operator, a, b, at);
    if (!isInteger(a) || !isInteger(b)) throw refused(`operator ${operator} on these types`, at);
    if (operator === '<<' || operator === '>>') return this.numbers.shift(operator, a);
    const type = commonType(a, b);
    if (type.size > 8) throw refused('a number of more than 64 bits', at);
    if (b !== type) this.numbers.wrap(type);
    if (a !== type) {
      this.code.emit('swap');
      this.numbers.wrap(type);
      this.code.emit('swap');
    }
    if (isComparison(operator)) {
      this.numbers.compare(operator, isSigned(type));
      return { type: model.int, where: 'stack' };
    }
    this.code.emit(this.numbers.operation(operator, isSigned(type)));
    this.numbers.wrap(type);
    return { type, where: 'stack' };
  }

  /** As pointer-arithmetic.ts: integers compare with pointers by their value. */
  private pointers(operator: ArithmeticOperator, a: PlainType, b: PlainType, at: number): Result {
    const { model } = this.environment;
    if (isComparison(operator)) {
      this.numbers.compare(operator, false);
      return { type: model.int, where: 'stack' };
    }
    const [left, right] = [a.kind === 'pointer' ? a : undefined, b.kind === 'pointer' ? b : undefined];
    if (left && right && operator === '-') {
      this.code.emit('sub');
      this.numbers.wrap(model.long);
      const size = strideOf(left.target, at);
      if (size !== strideOf(right.target, at) || size === 0n) throw refused('the difference of these pointers', at);
      this.code.constant(size);
      this.code.emit('div_signed');
      return { type: model.long, where: 'stack' };
    }
    const pointer = left ?? right;
    const sum = operator === '+' || (operator === '-' && left !== undefined);
    if (!pointer || (left && right) || !sum) throw refused(`operator ${operator} on a pointer`, at);
    if (!left) this.code.emit('swap');
    this.numbers.scale(strideOf(pointer.target, at));
    this.code.emit(operator === '+' ? 'add' : 'sub');
    this.numbers.wrap(pointer);
    return { type: pointer, where: 'stack' };
  }

  private async conditional({ test, then, otherwise, at }: NodeOf<'conditional'>): Promise<Result> {
    const [a, b] = [await this.promotedType(then), await this.promotedType(otherwise)];
    const type = isInteger(a) && isInteger(b) ? commonType(a, b) : a.kind === 'pointer' ? a : b;
    if (!isInteger(type) && type.kind !== 'pointer') throw refused('this choice', at);
    await this.number(test);
    const yes = this.code.jump('if_goto');
    this.numbers.promoted(await this.expression(otherwise), otherwise.at);
    this.numbers.wrap(type);
    const end = this.code.jump('goto');
    this.code.land(yes);
    this.numbers.promoted(await this.expression(then), then.at);
    this.numbers.wrap(type);
    this.code.land(end);
    return { type, where: 'stack' };
  }

  private async promotedType(node: Node): Promise<PlainType> {
    const scratch = this.scratch();
    return scratch.numbers.promoted(await scratch.expression(node), node.at);
  }

  private scratch(): AgentCompiler {
    return new AgentCompiler(this.environment, new Assembler(), this.registerNumber);
  }

  private async typeOf(node: Node): Promise<Type> {
    return (await this.scratch().expression(node)).type;
  }

  private type(node: TypeNode): Promise<Type> {
    const { context, model } = this.environment;
    return resolveType(node, context, model, {
      constant: async (count) => {
        if (count.kind !== 'integer') throw refused('the size of this array', count.at);
        return count.value;
      },
      typeOf: (operand) => this.typeOf(operand),
    });
  }
}
