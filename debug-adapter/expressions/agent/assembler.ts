/** Puts agent expressions together: operations, numbers in their shortest form, and jumps that are filled in later. */
import { type Opcode, opcodes } from '../../../hypervisor-core/protocol/agent/opcodes.ts';

/** A jump whose target is not known yet. */
export interface Jump {
  /** Position of its 16-bit operand. */
  readonly at: number;
}

/** Bytes of numbers that have operations of their own. */
export const SIZES = [1, 2, 4, 8] as const;

export class Assembler {
  private readonly bytes: number[] = [];

  get size(): number {
    return this.bytes.length;
  }

  emit(...operations: Opcode[]): void {
    for (const operation of operations) this.bytes.push(opcodes[operation].code);
  }

  /** Extends the number on the stack from its low `bits` bits. */
  extend(operation: 'ext' | 'zero_ext', bits: number): void {
    this.emit(operation);
    this.bytes.push(bits);
  }

  /** Pushes the 64-bit two's complement of `value`. Constants are unsigned: a short negative one is sign-extended. */
  constant(value: bigint): void {
    const number = BigInt.asUintN(64, value);
    const signed = BigInt.asIntN(64, value);
    const size = SIZES.find((bytes) => number >> BigInt(8 * bytes) === 0n) ?? 8;
    const signedSize = SIZES.find((bytes) => BigInt.asIntN(8 * bytes, signed) === signed) ?? 8;
    const width = Math.min(size, signedSize) as (typeof SIZES)[number];
    this.emit(CONSTANTS[width]);
    this.operand(number, width);
    if (width < size) this.extend('ext', width * 8);
  }

  /** Pushes a register, by its number in the target description. */
  register(number: number): void {
    this.emit('reg');
    this.operand(BigInt(number), 2);
  }

  /** Pushes a variable, or sets it to what stays on the stack. */
  variable(operation: 'getv' | 'setv', number: number): void {
    this.emit(operation);
    this.operand(BigInt(number), 2);
  }

  /** Prints `count` numbers, which lie below a function and a channel that say nothing; `format` as in C, in ASCII. */
  print(count: number, format: string): void {
    this.emit('printf');
    this.operand(BigInt(count), 1);
    this.operand(BigInt(format.length + 1), 2);
    this.bytes.push(...Buffer.from(`${format}\0`, 'latin1'));
  }

  /** Jumps; with `if_goto` where the popped value is not 0. */
  jump(operation: 'goto' | 'if_goto'): Jump {
    this.emit(operation);
    this.operand(0n, 2);
    return { at: this.size - 2 };
  }

  /** Lets a jump lead to what is emitted next. */
  land({ at }: Jump): void {
    this.bytes[at] = (this.size >> 8) & 0xff;
    this.bytes[at + 1] = this.size & 0xff;
  }

  finish(): Uint8Array {
    this.emit('end');
    return Uint8Array.from(this.bytes);
  }

  private operand(number: bigint, size: number): void {
    for (let shift = size - 1; shift >= 0; shift--) this.bytes.push(Number((number >> BigInt(8 * shift)) & 0xffn));
  }
}

const CONSTANTS = { 1: 'const8', 2: 'const16', 4: 'const32', 8: 'const64' } as const;
