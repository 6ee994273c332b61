/**
 * The bytecodes of agent expressions by the names and numbers of the GDB manual, appendix F.2. Those for collecting trace
 * data and for floating point are left out: conditions never hold them, and gdb itself does not emit the latter.
 */

/** Opcode, and bytes of its operand; `printf` has a count, a length and a text of that length instead. */
export const opcodes = {
  add: { code: 0x02, operand: 0 },
  sub: { code: 0x03, operand: 0 },
  mul: { code: 0x04, operand: 0 },
  div_signed: { code: 0x05, operand: 0 },
  div_unsigned: { code: 0x06, operand: 0 },
  rem_signed: { code: 0x07, operand: 0 },
  rem_unsigned: { code: 0x08, operand: 0 },
  lsh: { code: 0x09, operand: 0 },
  rsh_signed: { code: 0x0a, operand: 0 },
  rsh_unsigned: { code: 0x0b, operand: 0 },
  log_not: { code: 0x0e, operand: 0 },
  bit_and: { code: 0x0f, operand: 0 },
  bit_or: { code: 0x10, operand: 0 },
  bit_xor: { code: 0x11, operand: 0 },
  bit_not: { code: 0x12, operand: 0 },
  equal: { code: 0x13, operand: 0 },
  less_signed: { code: 0x14, operand: 0 },
  less_unsigned: { code: 0x15, operand: 0 },
  ext: { code: 0x16, operand: 1 },
  ref8: { code: 0x17, operand: 0 },
  ref16: { code: 0x18, operand: 0 },
  ref32: { code: 0x19, operand: 0 },
  ref64: { code: 0x1a, operand: 0 },
  if_goto: { code: 0x20, operand: 2 },
  goto: { code: 0x21, operand: 2 },
  const8: { code: 0x22, operand: 1 },
  const16: { code: 0x23, operand: 2 },
  const32: { code: 0x24, operand: 4 },
  const64: { code: 0x25, operand: 8 },
  reg: { code: 0x26, operand: 2 },
  end: { code: 0x27, operand: 0 },
  dup: { code: 0x28, operand: 0 },
  pop: { code: 0x29, operand: 0 },
  zero_ext: { code: 0x2a, operand: 1 },
  swap: { code: 0x2b, operand: 0 },
  getv: { code: 0x2c, operand: 2 },
  setv: { code: 0x2d, operand: 2 },
  pick: { code: 0x32, operand: 1 },
  rot: { code: 0x33, operand: 0 },
  printf: { code: 0x34, operand: 0 },
} as const;

export type Opcode = keyof typeof opcodes;

export const opcodesByCode: ReadonlyMap<number, Opcode> = new Map(
  Object.entries(opcodes).map(([name, { code }]) => [code, name as Opcode]),
);
