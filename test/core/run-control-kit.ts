/** Instructions and answers that several run-control tests share. */
import { probeHost } from '../../hypervisor-core/machine/host-probe.ts';
import { type Opcode, opcodes } from '../../hypervisor-core/protocol/agent/opcodes.ts';
import { registersByName } from '../../hypervisor-core/protocol/target-description.ts';

export const NOP = 0x90;
export const INC_EAX = [0xff, 0xc0];
export const INC_EBX = [0xff, 0xc3];
export const INT3 = 0xcc;
/** A short jump to the start of code of that many bytes before it. */
export const jumpBack = (bytes: number): number[] => [0xeb, 0x100 - bytes - 2];

/** nop; inc eax; inc ebx; jmp back */
export const loop = { code: [NOP, ...INC_EAX, ...INC_EBX, ...jumpBack(5)] };

const answers = new Map(probeHost().facts.map(({ id, answer }) => [id, answer]));
/** False when the host probe answers yes; else what it answers. */
export const lacks = (id: string): string | false =>
  answers.get(id) !== 'yes' && `${id} is ${answers.get(id)} on this host`;

/** An agent expression: bytecodes by name, operands as numbers, big-endian in the width that each bytecode wants. */
export function expression(...parts: (Opcode | number)[]): Uint8Array {
  let width = 0;
  const bytes = parts.flatMap((part) => {
    if (typeof part !== 'number') {
      width = opcodes[part].operand;
      return [opcodes[part].code];
    }
    return Array.from({ length: width }, (_, at) => Number((BigInt(part) >> BigInt(8 * (width - 1 - at))) & 0xffn));
  });
  return Uint8Array.from(bytes);
}

/** Number of a register in the target description. */
export const regnum = (name: string): number => registersByName.get(name)?.regnum ?? -1;
