/**
 * Evaluates agent expressions (GDB manual, appendix F): a stack machine over 64-bit integers. Steps and stack are bounded,
 * because whoever is at the other end of the socket wrote the expression.
 */
import { formatText } from './format.ts';
import type { Opcode } from './opcodes.ts';
import { AgentError, type Instruction, type Program } from './program.ts';

/** What an expression can see of the guest, and do. */
export interface AgentContext {
  /** Value of the register with this number in the target description, zero-extended. Throws {@link AgentError}. */
  register(regnum: number): bigint;
  /** Guest-virtual bytes; fewer where nothing is mapped. */
  memory(gva: bigint, length: number): Uint8Array;
  /** A trace state variable; 0 before it was set. */
  variable(index: number): bigint;
  setVariable(index: number, value: bigint): void;
  print(text: string): void;
}

const MAX_STEPS = 10_000;
const MAX_STACK = 256;
/** Longest text of a `%s`. */
const MAX_STRING = 1024;

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const signed = (value: bigint): bigint => BigInt.asIntN(64, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

function nonZero(divisor: bigint): bigint {
  if (divisor === 0n) throw new AgentError('divides by zero');
  return divisor;
}

/** A shift by 64 or more leaves nothing, or the sign. */
const clampShift = (count: bigint): bigint => (count > 64n ? 64n : count);

type Binary = (a: bigint, b: bigint) => bigint;

/** `b` is the top of the stack. Values are unsigned before and are made so after. */
const binary: Partial<Record<Opcode, Binary>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div_signed: (a, b) => signed(a) / nonZero(signed(b)),
  div_unsigned: (a, b) => a / nonZero(b),
  rem_signed: (a, b) => signed(a) % nonZero(signed(b)),
  rem_unsigned: (a, b) => a % nonZero(b),
  lsh: (a, b) => a << clampShift(b),
  rsh_signed: (a, b) => signed(a) >> clampShift(b),
  rsh_unsigned: (a, b) => a >> clampShift(b),
  bit_and: (a, b) => a & b,
  bit_or: (a, b) => a | b,
  bit_xor: (a, b) => a ^ b,
  equal: (a, b) => truth(a === b),
  less_signed: (a, b) => truth(signed(a) < signed(b)),
  less_unsigned: (a, b) => truth(a < b),
};

const referenceBytes: Partial<Record<Opcode, number>> = { ref8: 1, ref16: 2, ref32: 4, ref64: 8 };

class Evaluation {
  readonly #context: AgentContext;
  readonly #stack: bigint[] = [];

  constructor(context: AgentContext) {
    this.#context = context;
  }

  /** Runs to `end` and gives what is on top of the stack then; undefined for an empty one. */
  run(program: Program): bigint | undefined {
    let next = 0;
    for (let step = 0; step < MAX_STEPS; step++) {
      const instruction = program[next++];
      if (!instruction) throw new AgentError('has no end');
      if (instruction.opcode === 'end') return this.#stack.at(-1);
      const jumps = instruction.opcode === 'goto' || (instruction.opcode === 'if_goto' && this.#pop() !== 0n);
      if (jumps) next = Number(instruction.operand);
      else if (instruction.opcode !== 'if_goto') this.#step(instruction);
    }
    throw new AgentError(`did not end within ${MAX_STEPS} steps`);
  }

  #step({ opcode, operand, format }: Instruction): void {
    const compute = binary[opcode];
    const bytes = referenceBytes[opcode];
    if (compute) {
      const b = this.#pop();
      this.#push(compute(this.#pop(), b));
    } else if (bytes !== undefined) this.#push(this.#reference(this.#pop(), bytes));
    else if (opcode === 'printf') this.#printf(Number(operand), format ?? '');
    else this.#other(opcode, operand);
  }

  #other(opcode: Opcode, operand: bigint): void {
    if (opcode === 'pop') this.#pop();
    else if (opcode === 'swap') this.#reorder(2, [1, 0]);
    else if (opcode === 'rot') this.#reorder(3, [2, 0, 1]);
    else if (opcode === 'setv') this.#context.setVariable(Number(operand), this.#pick(0));
    else this.#push(this.#value(opcode, operand));
  }

  /** What bytecodes push that push one value. */
  #value(opcode: Opcode, operand: bigint): bigint {
    switch (opcode) {
      case 'const8':
      case 'const16':
      case 'const32':
      case 'const64':
        return operand;
      case 'reg':
        return this.#context.register(Number(operand));
      case 'getv':
        return this.#context.variable(Number(operand));
      case 'ext':
        return BigInt.asIntN(Number(operand), this.#pop());
      case 'zero_ext':
        return BigInt.asUintN(Number(operand), this.#pop());
      case 'log_not':
        return truth(this.#pop() === 0n);
      case 'bit_not':
        return ~this.#pop();
      case 'dup':
        return this.#pick(0);
      case 'pick':
        return this.#pick(Number(operand));
      default:
        throw new AgentError(`cannot use ${opcode} here`);
    }
  }

  /** Puts the top `count` values back in another order, lowest first. */
  #reorder(count: number, order: readonly number[]): void {
    const values = Array.from({ length: count }, () => this.#pop()).reverse();
    for (const position of order) this.#push(values[position] ?? 0n);
  }

  #reference(gva: bigint, length: number): bigint {
    const bytes = this.#context.memory(gva, length);
    if (bytes.length < length) throw new AgentError(`reads address 0x${gva.toString(16)}, where nothing is mapped`);
    return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  /** Above its arguments, the first of which is uppermost, lie a function and a channel that say nothing here. */
  #printf(count: number, format: string): void {
    this.#pop();
    this.#pop();
    const values = Array.from({ length: count }, () => this.#pop());
    this.#context.print(formatText(format, values, (gva) => this.#text(gva)));
  }

  #text(gva: bigint): string {
    const bytes = this.#context.memory(gva, MAX_STRING);
    const end = bytes.indexOf(0);
    return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
  }

  #pick(depth: number): bigint {
    const value = this.#stack.at(-1 - depth);
    if (value === undefined) throw new AgentError('takes a value from an empty stack');
    return value;
  }

  #pop(): bigint {
    const value = this.#pick(0);
    this.#stack.length--;
    return value;
  }

  #push(value: bigint): void {
    if (this.#stack.length >= MAX_STACK) throw new AgentError(`needs a stack of more than ${MAX_STACK} values`);
    this.#stack.push(unsigned(value));
  }
}

/** The value of an expression, as an unsigned number; undefined when it leaves none. Throws {@link AgentError}. */
export function evaluate(program: Program, context: AgentContext): bigint | undefined {
  return new Evaluation(context).run(program);
}
