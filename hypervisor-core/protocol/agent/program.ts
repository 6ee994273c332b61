/**
 * An agent expression, checked and taken apart once, so that evaluating it many times is quick and can only fail for what
 * it meets in the guest.
 */
import { type Opcode, opcodes, opcodesByCode } from './opcodes.ts';

/** Longest expression in bytes; gdb's own are of some tens. */
const MAX_EXPRESSION = 4096;

/** An expression that cannot be used, or whose evaluation failed; the message completes "the condition ...". */
export class AgentError extends Error {}

export interface Instruction {
  readonly opcode: Opcode;
  /** Immediate operand; for jumps the index of the instruction to go to; for `printf` the number of arguments. */
  readonly operand: bigint;
  /** Format of a `printf`, with the escapes of C still in it. */
  readonly format?: string;
}

export type Program = readonly Instruction[];

/** Takes an expression apart. Throws {@link AgentError} for what is not one. Operands are big-endian. */
export function parseProgram(bytes: Uint8Array): Program {
  if (bytes.length > MAX_EXPRESSION) throw new AgentError(`is longer than ${MAX_EXPRESSION} bytes`);
  const starts = new Map<number, number>();
  const instructions: Instruction[] = [];
  for (let at = 0; at < bytes.length; ) {
    starts.set(at, instructions.length);
    const { instruction, next } = decode(bytes, at);
    instructions.push(instruction);
    at = next;
  }
  return instructions.map((instruction) => (isJump(instruction) ? aimed(instruction, starts) : instruction));
}

const isJump = ({ opcode }: Instruction): boolean => opcode === 'goto' || opcode === 'if_goto';

/** Jumps are written as byte offsets from the start of the expression. */
function aimed(jump: Instruction, starts: ReadonlyMap<number, number>): Instruction {
  const target = starts.get(Number(jump.operand));
  if (target === undefined) throw new AgentError(`jumps to ${jump.operand}, which is no instruction`);
  return { ...jump, operand: BigInt(target) };
}

function decode(bytes: Uint8Array, at: number): { instruction: Instruction; next: number } {
  const code = bytes[at] ?? 0;
  const opcode = opcodesByCode.get(code);
  if (!opcode) throw new AgentError(`has the bytecode 0x${code.toString(16)}, which is not supported`);
  if (opcode === 'printf') return decodePrintf(bytes, at);
  const next = at + 1 + opcodes[opcode].operand;
  if (next > bytes.length) throw new AgentError('ends inside an instruction');
  const operand = bytes.subarray(at + 1, next).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  if ((opcode === 'ext' || opcode === 'zero_ext') && (operand < 1n || operand > 64n)) {
    throw new AgentError(`extends a value of ${operand} bits`);
  }
  return { instruction: { opcode, operand }, next };
}

/** A byte with the number of arguments, two with the length of the format, and the format with a zero at its end. */
function decodePrintf(bytes: Uint8Array, at: number): { instruction: Instruction; next: number } {
  const count = bytes[at + 1] ?? 0;
  const length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  const start = at + 4;
  const next = start + length;
  if (length === 0 || next > bytes.length || bytes[next - 1] !== 0) throw new AgentError('has a format without an end');
  const format = String.fromCharCode(...bytes.subarray(start, next - 1));
  return { instruction: { opcode: 'printf', operand: BigInt(count), format }, next };
}
