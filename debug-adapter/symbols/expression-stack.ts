/** Values on the stack of a DWARF expression, DWARF 5, 2.5.1: of the generic type, or of an integer base type. */

export interface StackType {
  readonly size: number;
  readonly signed: boolean;
}

export interface StackValue {
  /** Not negative and below 2^(8 * size). */
  readonly bits: bigint;
  /** Absent for the generic type: an address, whose arithmetic is signed where that matters but for modulo. */
  readonly type?: StackType;
}

const maximumDepth = 256;

export class ExpressionStack {
  private readonly values: StackValue[] = [];

  constructor(private readonly addressSize: number) {}

  get depth(): number {
    return this.values.length;
  }

  push(value: bigint, type?: StackType): void {
    if (this.values.length >= maximumDepth) throw new RangeError('the stack of a location expression is too deep');
    const bits = BigInt.asUintN(8 * (type?.size ?? this.addressSize), value);
    this.values.push(type ? { bits, type } : { bits });
  }

  pop(): StackValue {
    const value = this.values.pop();
    if (!value) throw new RangeError('a location expression takes more than it has');
    return value;
  }

  popNumber(): bigint {
    return this.pop().bits;
  }

  peek(index: number): StackValue {
    const value = this.values.at(-1 - index);
    if (!value) throw new RangeError('a location expression looks below its stack');
    return value;
  }

  again(value: StackValue): void {
    this.push(value.bits, value.type);
  }

  signed(value: StackValue): bigint {
    if (value.type && !value.type.signed) return value.bits;
    return BigInt.asIntN(8 * (value.type?.size ?? this.addressSize), value.bits);
  }

  /** The third entry becomes the top one's neighbour below: DW_OP_rot. */
  rotate(): void {
    const [first, second, third] = [this.pop(), this.pop(), this.pop()];
    for (const value of [first, third, second]) this.again(value);
  }

  swap(): void {
    const [first, second] = [this.pop(), this.pop()];
    this.again(first);
    this.again(second);
  }

  toBytes(value: StackValue): Uint8Array {
    const size = value.type?.size ?? this.addressSize;
    const bytes = new Uint8Array(size);
    for (let index = 0; index < size; index++) bytes[index] = Number((value.bits >> BigInt(8 * index)) & 0xffn);
    return bytes;
  }

  /** The two-operand operations, 0x1a to 0x2e without the unary ones; undefined for others. */
  binary(opcode: number): boolean {
    const compute = binaryOperations.get(opcode);
    if (!compute) return false;
    const right = this.pop();
    const left = this.pop();
    const isComparison = opcode >= 0x29;
    this.push(
      compute(left, right, (value) => this.signed(value)),
      isComparison ? undefined : left.type,
    );
    return true;
  }
}

type Binary = (left: StackValue, right: StackValue, signed: (value: StackValue) => bigint) => bigint;

const nonZero = (value: bigint): bigint => {
  if (value === 0n) throw new RangeError('a location expression divides by zero');
  return value;
};
const shift = (value: StackValue): bigint => (value.bits > 64n ? 64n : value.bits);
const compare =
  (holds: (left: bigint, right: bigint) => boolean): Binary =>
  (left, right, signed) =>
    holds(signed(left), signed(right)) ? 1n : 0n;

const binaryOperations = new Map<number, Binary>([
  [0x1a, (left, right) => left.bits & right.bits],
  [0x1b, (left, right, signed) => signed(left) / nonZero(signed(right))],
  [0x1c, (left, right) => left.bits - right.bits],
  [
    0x1d,
    (left, right, signed) =>
      left.type?.signed ? signed(left) % nonZero(signed(right)) : left.bits % nonZero(right.bits),
  ],
  [0x1e, (left, right) => left.bits * right.bits],
  [0x21, (left, right) => left.bits | right.bits],
  [0x22, (left, right) => left.bits + right.bits],
  [0x24, (left, right) => left.bits << shift(right)],
  [0x25, (left, right) => left.bits >> shift(right)],
  [0x26, (left, right, signed) => signed(left) >> shift(right)],
  [0x27, (left, right) => left.bits ^ right.bits],
  [0x29, compare((left, right) => left === right)],
  [0x2a, compare((left, right) => left >= right)],
  [0x2b, compare((left, right) => left > right)],
  [0x2c, compare((left, right) => left <= right)],
  [0x2d, compare((left, right) => left < right)],
  [0x2e, compare((left, right) => left !== right)],
]);
