/** One vCPU as the servers see it. */

import { decodeInterruptState } from '../interrupts/interrupt-state.ts';
import { KVM, OFFSET } from '../kvm/abi.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';
import { type KvmVm, messageAddress, signalMsi } from '../kvm/vm.ts';
import { hex } from '../protocol/hex.ts';
import type { InterruptState, Msr } from '../protocol/inspect.ts';
import { msrName } from '../protocol/msr-names.ts';
import type { Vcpu } from './api.ts';
import { linearPc } from './linear-pc.ts';
import { RegisterAccess } from './register-access.ts';
import type { VcpuThread } from './vcpu-thread.ts';

export class MachineVcpu implements Vcpu {
  readonly index: number;
  readonly kvm: KvmVcpu;
  readonly thread: VcpuThread;
  readonly #registers: RegisterAccess;
  readonly #vm: KvmVm;
  readonly #msrIndices: readonly number[];

  /** `msrIndices`: the MSRs that this KVM says it can save. */
  constructor(kvm: KvmVcpu, thread: VcpuThread, vm: KvmVm, msrIndices: readonly number[]) {
    this.index = kvm.index;
    this.kvm = kvm;
    this.thread = thread;
    this.#vm = vm;
    this.#msrIndices = msrIndices;
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
    const { registers } = this;
    const events = registers.state('vcpu_events');
    return decodeInterruptState(this.index, {
      lapic: {
        page: this.kvm.lapic(),
        base: registers.state('sregs').getBigUint64(OFFSET.kvm_sregs.apic_base, true),
      },
      picMaster: this.#vm.irqchip(KVM.IRQCHIP_PIC_MASTER),
      picSlave: this.#vm.irqchip(KVM.IRQCHIP_PIC_SLAVE),
      ioapic: this.#vm.irqchip(KVM.IRQCHIP_IOAPIC),
      pit: this.#vm.pit(),
      events: new Uint8Array(events.buffer, events.byteOffset, events.byteLength),
      mpState: this.kvm.mpState,
    });
  }

  inject(vector?: number): void {
    const { lapic } = this.interrupts();
    this.#registers.forget();
    if (vector === undefined) this.kvm.nmi();
    // The data of a message with fixed delivery, edge-triggered, is the vector alone: SDM vol. 3A 11.11.2.
    else if (signalMsi(this.#vm.fd, messageAddress(lapic?.id ?? this.index), vector) <= 0) {
      throw new RangeError(`the local APIC of vCPU ${this.index} takes no interrupts: the guest has not enabled it`);
    }
  }

  msrs(): readonly Msr[] {
    this.#mustBeStopped();
    return this.kvm
      .readableMsrs(this.#msrIndices)
      .map(({ index, value }) => ({ index, name: msrName(index), value: hex(value) }));
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
