/** Operands of an instruction that is carried out here: general registers of the run page, memory by the guest's tables. */
import type { Instruction, Register } from 'iced-x86';
import { OFFSET } from '../../kvm/abi.ts';
import type { RunPage, SyncRegister } from '../../kvm/run-page.ts';
import type { KvmVcpu } from '../../kvm/vcpu.ts';
import type { RamFile } from '../guest-ram.ts';
import { walkPages } from '../page-runs.ts';

/** The instruction cannot be carried out, and the guest stops on it. */
export class Unfinished extends Error {}

/** General registers by their number in instructions. */
const REGISTERS: readonly SyncRegister[] = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const),
  ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
];
const { kvm_sregs: SREGS, kvm_segment: SEGMENT } = OFFSET;
const BASED = { ES: 'es', CS: 'cs', SS: 'ss', DS: 'ds', FS: 'fs', GS: 'gs' } as const;

export interface OperandParts {
  readonly iced: typeof import('iced-x86');
  readonly vcpu: KvmVcpu;
  readonly page: RunPage;
  readonly ram: RamFile;
  readonly instruction: Instruction;
  readonly bits: 16 | 32 | 64;
}

export class Operands {
  readonly #parts: OperandParts;

  constructor(parts: OperandParts) {
    this.#parts = parts;
  }

  /** The value of a register or memory operand of up to 64 bits, unsigned. */
  read(operand: number): { readonly value: bigint; readonly bytes: number } {
    const { iced, instruction, page } = this.#parts;
    if (instruction.opKind(operand) === iced.OpKind.Register) {
      const { name, bytes } = this.#register(instruction.opRegister(operand));
      return { value: BigInt.asUintN(8 * bytes, page.register(name)), bytes };
    }
    const bytes = iced.MemorySizeExt.size(instruction.memorySize);
    const view = Buffer.alloc(8);
    view.set(this.readMemory(bytes));
    return { value: view.readBigUInt64LE(), bytes };
  }

  /** Writes a register or memory operand. 32 bits of a register clear its upper half, 16 leave the rest alone. */
  write(operand: number, value: bigint): void {
    const { iced, instruction, page } = this.#parts;
    if (instruction.opKind(operand) === iced.OpKind.Register) {
      const { name, bytes } = this.#register(instruction.opRegister(operand));
      const kept = bytes < 4 ? (page.register(name) >> BigInt(8 * bytes)) << BigInt(8 * bytes) : 0n;
      page.setRegister(name, kept | BigInt.asUintN(8 * bytes, value));
      return;
    }
    const view = Buffer.alloc(8);
    view.writeBigUInt64LE(BigInt.asUintN(64, value));
    this.writeMemory(view.subarray(0, iced.MemorySizeExt.size(instruction.memorySize)));
  }

  readMemory(length: number): Uint8Array {
    return Buffer.concat(this.#pieces(length).map(({ gpa, size }) => this.#parts.ram.read(gpa, size)));
  }

  /** Writes the memory operand and notes where, for who watches it. */
  writeMemory(bytes: Uint8Array): void {
    let done = 0;
    for (const { gpa, size } of this.#pieces(bytes.length)) {
      const data = bytes.subarray(done, done + size);
      this.#parts.ram.write(gpa, data);
      this.written = { gpa, data };
      done += size;
    }
  }

  /** The last piece of RAM that was written. */
  written: { readonly gpa: number; readonly data: Uint8Array } | undefined;

  /** Linear address of the memory operand; Intel SDM vol. 1 3.7.5. */
  get address(): bigint {
    const { iced, instruction, vcpu, page, bits } = this.#parts;
    const part = (register: Register) => {
      if (register === iced.Register.None) return 0n;
      const { name, bytes } = this.#register(register);
      return BigInt.asUintN(8 * bytes, page.register(name));
    };
    const offset = instruction.isIpRelMemoryOperand
      ? instruction.ipRelMemoryAddress
      : part(instruction.memoryBase) +
        part(instruction.memoryIndex) * BigInt(instruction.memoryIndexScale) +
        instruction.memoryDisplacement;
    const segment = Object.entries(BASED).find(([name]) => iced.Register[name as 'ES'] === instruction.memorySegment);
    if (!segment) throw new Unfinished('its segment is unknown');
    const [, name] = segment;
    const flat = bits === 64 && name !== 'fs' && name !== 'gs';
    const base = flat ? 0n : vcpu.get('sregs').getBigUint64(SREGS[name] + SEGMENT.base, true);
    return BigInt.asUintN(bits === 64 ? 64 : 32, base + BigInt.asUintN(bits, offset));
  }

  #register(register: Register): { readonly name: SyncRegister; readonly bytes: number } {
    const { RegisterExt } = this.#parts.iced;
    const name = REGISTERS[RegisterExt.number(register)];
    const bytes = RegisterExt.size(register);
    if (!name || bytes < 2 || !RegisterExt.isGPR(register)) throw new Unfinished('its register is not a general one');
    return { name, bytes };
  }

  /** Where the memory operand lies, page by page; all of it has to be RAM. */
  #pieces(length: number): readonly { readonly gpa: number; readonly size: number }[] {
    const { vcpu, ram } = this.#parts;
    const pieces: { readonly gpa: number; readonly size: number }[] = [];
    walkPages(
      (at) => vcpu.translate(at),
      this.address,
      length,
      (gpa, size) => {
        if (ram.has(gpa)) pieces.push({ gpa, size });
        return size;
      },
    );
    const inRam = pieces.reduce((sum, { size }) => sum + size, 0);
    if (inRam !== length) throw new Unfinished('its operand is not in RAM');
    return pieces;
  }
}
