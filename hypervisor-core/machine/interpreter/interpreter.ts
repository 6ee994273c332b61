/**
 * Finishes instructions that KVM's emulator lacks, where it interprets all supervisor code. CPUID hides what it can of
 * them, but kernels use some without asking, or before they can ask.
 */
import { dropQueuedUndefinedOpcode } from '../guest-events.ts';
import { codeBits } from '../linear-pc.ts';
import { RegisterAccess } from '../register-access.ts';
import { instructions, type Processor } from './instructions.ts';
import { type OperandParts, Operands, Unfinished } from './operands.ts';

export type InterpreterParts = Pick<OperandParts, 'vcpu' | 'page' | 'ram'> & Pick<Processor, 'alone'>;

/** What was done beside registers: the RAM that was written. */
export interface Finished {
  readonly written: { readonly gpa: number; readonly data: Uint8Array } | undefined;
}

export class Interpreter {
  readonly #parts: InterpreterParts;
  #iced: typeof import('iced-x86') | undefined;

  constructor(parts: InterpreterParts) {
    this.#parts = parts;
  }

  /** Carries out the instruction that the vCPU stands on, whose bytes these are; undefined when that is not known how. */
  finish(code: Uint8Array): Finished | undefined {
    // The decoder is loaded at the first call: most machines never need it.
    this.#iced ??= require('iced-x86') as typeof import('iced-x86');
    const { vcpu, page, alone } = this.#parts;
    const { Decoder, DecoderOptions, Mnemonic } = this.#iced;
    const bits = codeBits(vcpu.get('sregs'));
    const decoder = new Decoder(bits, code, DecoderOptions.None);
    decoder.ip = page.register('rip');
    const instruction = decoder.decode();
    try {
      const carryOut = instructions[Mnemonic[instruction.mnemonic] as keyof typeof instructions];
      if (!carryOut) return undefined;
      const operands = new Operands({ ...this.#parts, iced: this.#iced, instruction, bits });
      carryOut({ registers: new RegisterAccess(vcpu), page, operands, alone });
      dropQueuedUndefinedOpcode(vcpu);
      page.setRegister('rip', instruction.nextIP);
      return { written: operands.written };
    } catch (error) {
      if (error instanceof Unfinished) return undefined;
      throw error;
    } finally {
      instruction.free();
      decoder.free();
    }
  }
}
