/**
 * Steps over HLT where KVM interprets supervisor code. Its emulator notes that the vCPU is to halt, but a step is reported
 * first: the vCPU then halts after some later instruction, in an interrupt's handler for one, where nothing wakes it. So the
 * instruction is carried out here (Intel SDM vol. 2A, HLT).
 */
import { VCPU_EVENTS } from '../interrupts/vcpu-events.ts';
import { KVM, OFFSET } from '../kvm/abi.ts';
import type { RunPage } from '../kvm/run-page.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';
import { linearPc } from './linear-pc.ts';
import { PAGE } from './memory-slots.ts';
import type { RamAtomics } from './ram-atomics.ts';

const HLT = 0xf4;
const CS_DPL = OFFSET.kvm_sregs.cs + OFFSET.kvm_segment.dpl;

export interface HaltParts {
  readonly vcpu: KvmVcpu;
  /** Has the segment registers of the last exit. */
  readonly page: RunPage;
  readonly atomics: RamAtomics;
}

export class Halts {
  readonly #parts: HaltParts;
  /** Virtual and physical address of the page of code that was looked at last. */
  #code = { gva: -1n, gpa: 0 };

  constructor(parts: HaltParts) {
    this.#parts = parts;
  }

  /** Carries out the instruction at RIP if it is a HLT that may be: the vCPU then stands behind it, halted. */
  step(): boolean {
    const { vcpu, page } = this.#parts;
    const rip = page.register('rip');
    if (this.#byteAt(linearPc(page.sregs, rip)) !== HLT) return false;
    // What was looked at may have been mapped elsewhere since, or other segments loaded.
    this.#code.gva = -1n;
    const sregs = vcpu.get('sregs');
    if (sregs.getUint8(CS_DPL) !== 0 || this.#byteAt(linearPc(sregs, rip)) !== HLT) return false;
    const registers = vcpu.get('regs');
    registers.setBigUint64(OFFSET.kvm_regs.rip, rip + 1n, true);
    vcpu.set('regs', registers);
    page.noteRegister('rip', rip + 1n);
    const events = vcpu.get('vcpu_events');
    events.setUint8(VCPU_EVENTS['interrupt.shadow'], 0);
    events.setUint32(VCPU_EVENTS.flags, KVM.VCPUEVENT_VALID_SHADOW, true);
    vcpu.set('vcpu_events', events);
    vcpu.mpState = KVM.MP_STATE_HALTED;
    return true;
  }

  #byteAt(pc: bigint): number | undefined {
    const offset = Number(pc % BigInt(PAGE));
    const gva = pc - BigInt(offset);
    if (gva !== this.#code.gva) this.#code = { gva, gpa: Number(this.#parts.vcpu.translate(gva) ?? -1n) };
    return this.#parts.atomics.load(this.#code.gpa + offset);
  }
}
