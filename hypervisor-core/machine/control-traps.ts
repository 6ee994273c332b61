/** Traps at the instructions that write control registers, beside the breakpoints that were asked for. */
import { hex } from '../protocol/hex.ts';
import type { ControlWrite } from './control-writes.ts';
import type { Planting } from './handler-traps.ts';
import { instructionText } from './instruction-text.ts';
import { codeBits } from './linear-pc.ts';
import type { MachineVcpu } from './machine-vcpu.ts';

export interface ControlTrapParts {
  /** The writes that the guest is to be stopped on. */
  readonly controlWrites: () => readonly ControlWrite[];
  /** RAM without traps. */
  readonly read: (gpa: number, length: number) => Uint8Array;
}

export class ControlTraps {
  readonly #parts: ControlTrapParts;
  #placed: ReadonlyMap<bigint, ControlWrite> = new Map();

  constructor(parts: ControlTrapParts) {
    this.#parts = parts;
  }

  /** Adds to `planting` what is needed where the code is still there; nothing traps at `skip`. */
  place(planting: Planting, skip: bigint | undefined): void {
    const placed = new Map<bigint, ControlWrite>();
    for (const write of this.#parts.controlWrites()) {
      const now = this.#parts.read(write.gpa, write.bytes.length);
      if (Buffer.compare(now, write.bytes) !== 0) continue;
      for (const gva of write.gvas) {
        placed.set(gva, write);
        if (gva !== skip && !planting.has(gva)) planting.set(gva, [write.gpa]);
      }
    }
    this.#placed = placed;
  }

  /** What the vCPU, which stands before such an instruction, is about to do; undefined elsewhere. */
  message(vcpu: MachineVcpu): string | undefined {
    const write = this.#placed.get(vcpu.pc);
    if (!write) return undefined;
    const { registers } = vcpu;
    const bits = codeBits(registers.state('sregs'));
    const holds = `${write.register}, which holds ${hex(registers.get(write.register))}`;
    const by = `\`${instructionText(write.bytes, bits)}\``;
    if (write.source === undefined) return `The guest is about to change ${holds}, by ${by}.`;
    const value = BigInt.asUintN(bits === 64 ? 64 : 32, registers.get(write.source));
    return `The guest is about to write ${hex(value)} to ${holds}, by ${by}.`;
  }
}
