/** One vCPU as the servers see it. */
import type { KvmVcpu } from '../kvm/vcpu.ts';
import type { InterruptState, Msr } from '../protocol/inspect.ts';
import type { Vcpu } from './api.ts';
import { linearPc } from './linear-pc.ts';
import { RegisterAccess } from './register-access.ts';
import type { VcpuThread } from './vcpu-thread.ts';

export class MachineVcpu implements Vcpu {
  readonly index: number;
  readonly kvm: KvmVcpu;
  readonly thread: VcpuThread;
  readonly #registers: RegisterAccess;

  constructor(kvm: KvmVcpu, thread: VcpuThread) {
    this.index = kvm.index;
    this.kvm = kvm;
    this.thread = thread;
    this.#registers = new RegisterAccess(kvm);
  }

  get registers(): RegisterAccess {
    this.#mustBeStopped();
    return this.#registers;
  }

  /** Linear address of the next instruction. */
  get pc(): bigint {
    return linearPc(this.kvm, this.registers.get('rip'));
  }

  interrupts(): InterruptState {
    this.#mustBeStopped();
    throw new Error('not yet');
  }

  msrs(): readonly Msr[] {
    this.#mustBeStopped();
    return [];
  }

  writeMsr(index: number, value: bigint): void {
    this.#mustBeStopped();
    this.#registers.forget();
    if (!this.kvm.setMsr(index, value)) {
      throw new RangeError(`KVM refuses 0x${value.toString(16)} for MSR 0x${index.toString(16)}`);
    }
  }

  translate(gva: bigint): bigint | undefined {
    this.#mustBeStopped();
    return this.kvm.translate(gva);
  }

  #mustBeStopped(): void {
    if (this.thread.running) throw new Error(`vCPU ${this.index} is running; stop it to see its state`);
  }
}
