/** What agent expressions do with numbers on their stack: fetch, cut to a type's width, compare, shift. */

import type { Opcode } from '../../../hypervisor-core/protocol/agent/opcodes.ts';
import type { Type } from '../../symbols/api.ts';
import { ExpressionError } from '../api.ts';
import type { BitRange } from '../bytes.ts';
import { pointerTo } from '../operands.ts';
import { promote } from '../scalars.ts';
import type { ArithmeticOperator } from '../syntax.ts';
import { typeName } from '../type-name.ts';
import { type DataModel, isBoolean, isInteger, isSigned, type PlainType, strip, unknownData } from '../types.ts';
import { type Assembler, SIZES } from './assembler.ts';

/** The expression is C, but not one that a stub can evaluate. */
export class NotCompilable extends ExpressionError {}

export const refused = (what: string, at: number) => new NotCompilable(`${what} cannot be evaluated by a stub`, at);

/** What the code so far has left behind: a number or an address on the stack, or nothing yet for a register. */
export type Result = { readonly type: Type; readonly bits?: BitRange; readonly enumerator?: true } & (
  | { readonly where: 'stack' | 'memory' }
  | { readonly where: 'register'; readonly name: string }
);

const REFERENCES = { 1: 'ref8', 2: 'ref16', 4: 'ref32', 8: 'ref64' } as const;

type Sized = Extract<PlainType, { kind: 'base' | 'pointer' | 'enum' }>;

export class Numbers {
  constructor(
    readonly code: Assembler,
    private readonly model: DataModel,
    /** A register's number in the target description. */
    private readonly registerNumber: (name: string) => number | undefined,
  ) {}

  /** As {@link Numbers.load}, after integer promotion. */
  promoted(result: Result, at: number): PlainType {
    const plain = this.load(result, at);
    if (result.enumerator) return this.model.int;
    return strip(promote({ type: plain, value: 0n }, this.model, result.bits).type);
  }

  operation(operator: ArithmeticOperator, signed: boolean): Opcode {
    switch (operator) {
      case '+':
        return 'add';
      case '-':
        return 'sub';
      case '*':
        return 'mul';
      case '/':
        return signed ? 'div_signed' : 'div_unsigned';
      case '%':
        return signed ? 'rem_signed' : 'rem_unsigned';
      case '&':
        return 'bit_and';
      case '|':
        return 'bit_or';
      default:
        return 'bit_xor';
    }
  }

  compare(operator: ArithmeticOperator, signed: boolean): void {
    const less = signed ? 'less_signed' : 'less_unsigned';
    const operations: Partial<Record<ArithmeticOperator, readonly Opcode[]>> = {
      '==': ['equal'],
      '!=': ['equal', 'log_not'],
      '<': [less],
      '>=': [less, 'log_not'],
      '>': ['swap', less],
      '<=': ['swap', less, 'log_not'],
    };
    this.code.emit(...(operations[operator] ?? []));
  }

  /** A count beyond the width shifts all bits out, as where the expression is evaluated here. */
  shift(operator: '<<' | '>>', type: Sized): Result {
    const { code } = this;
    const signed = isInteger(type) && isSigned(type);
    code.emit('dup');
    code.constant(BigInt(type.size * 8));
    code.emit('less_unsigned');
    const fits = code.jump('if_goto');
    code.emit('pop');
    if (operator === '<<' || !signed) {
      code.emit('pop');
      code.constant(0n);
      code.constant(0n);
    } else code.constant(BigInt(type.size * 8 - 1));
    code.land(fits);
    code.emit(operator === '<<' ? 'lsh' : signed ? 'rsh_signed' : 'rsh_unsigned');
    this.wrap(type);
    return { type, where: 'stack' };
  }

  /** Puts what the result stands for onto the stack; arrays and functions decay. */
  load(result: Result, at: number): PlainType {
    const { type, bits } = result;
    const plain = strip(type);
    const { model } = this;
    if (type === unknownData) throw new NotCompilable('the type of this symbol is not known; cast it', at);
    if (plain.kind === 'array' || plain.kind === 'function') {
      if (result.where !== 'memory') throw refused('an array that is not in memory', at);
      return strip(pointerTo(plain.kind === 'array' ? plain.element : type, model));
    }
    const isNumber = plain.kind === 'pointer' || isInteger(plain);
    if (!isNumber || plain.size > 8) throw refused(`a value of type ${typeName(type)}`, at);
    if (result.where === 'memory') this.fetch(plain, bits, at);
    if (result.where === 'register')
      this.fromRegister(result.name, bits ?? { offset: 0, size: plain.size * 8 }, plain, at);
    return plain;
  }

  private fetch(plain: Sized, bits: BitRange | undefined, at: number): void {
    const { code } = this;
    const byte = bits ? Math.floor(bits.offset / 8) : 0;
    const shift = bits ? bits.offset % 8 : 0;
    const width = bits ? Math.ceil((shift + bits.size) / 8) : plain.size;
    const size = SIZES.find((candidate) => candidate >= width);
    if (size === undefined) throw refused('a bit-field over more than 8 bytes', at);
    if (byte > 0) {
      code.constant(BigInt(byte));
      code.emit('add');
    }
    code.emit(REFERENCES[size]);
    this.cut({ offset: shift, size: bits?.size ?? plain.size * 8 }, plain);
  }

  private fromRegister(name: string, bits: BitRange, plain: PlainType, at: number): void {
    if (bits.offset + bits.size > 64) throw refused(`register $${name}`, at);
    this.code.register(this.numberOf(name, at));
    this.cut(bits, plain);
  }

  numberOf(name: string, at: number): number {
    // A 32-bit image under a stub that describes 64-bit registers: the upper halves are 0 there.
    const number = this.registerNumber(name) ?? this.registerNumber(name.replace(/^e/, 'r'));
    if (number === undefined) throw refused(`register $${name}`, at);
    return number;
  }

  /** Moves a bit range of the number on the stack down, and extends it. */
  private cut({ offset, size }: BitRange, plain: PlainType): void {
    if (offset > 0) {
      this.code.constant(BigInt(offset));
      this.code.emit('rsh_unsigned');
    }
    if (size < 64) this.code.extend(isInteger(plain) && isSigned(plain) ? 'ext' : 'zero_ext', size);
  }

  converted(type: Type, at: number): Result {
    const plain = strip(type);
    if (plain.kind !== 'pointer' && !isInteger(plain)) throw refused(`a cast to ${typeName(type)}`, at);
    if (plain.size > 8) throw refused(`a cast to ${typeName(type)}`, at);
    if (isBoolean(plain)) this.code.emit('log_not', 'log_not');
    else this.wrap(plain);
    return { type, where: 'stack' };
  }

  /** Cuts the number on the stack to a type's width. */
  wrap(type: PlainType): void {
    if ('size' in type && type.size < 8) this.cut({ offset: 0, size: type.size * 8 }, type);
  }

  scale(stride: bigint): void {
    if (stride === 1n) return;
    this.code.constant(stride);
    this.code.emit('mul');
  }
}
