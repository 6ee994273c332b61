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

/** The message that an NMI would be: delivery mode 4. */
const NMI_DATA = 4 << 8;

interface MachineVcpuParts {
  readonly vm: KvmVm;
  /** The MSRs that this KVM says it can save. */
  readonly msrIndices: readonly number[];
  /** For the log: what a vCPU was interrupted with by hand. */
  readonly injected: (message: { readonly address: bigint; readonly data: number }) => void;
}

export class MachineVcpu implements Vcpu {
  readonly index: number;
  readonly kvm: KvmVcpu;
  readonly thread: VcpuThread;
  readonly #registers: RegisterAccess;
  readonly #parts: MachineVcpuParts;

  constructor(kvm: KvmVcpu, thread: VcpuThread, parts: MachineVcpuParts) {
    this.index = kvm.index;
    this.kvm = kvm;
    this.thread = thread;
    this.#parts = parts;
    this.#registers = new RegisterAccess(kvm);
  }

  get registers(): RegisterAccess {
    this.#mustBeStopped();
    return this.#registers;
  }

  /** Linear address of the next instruction. */
  get pc(): bigint {
    return linearPc(this.registers.state('sregs'), this.registers.get('rip'));
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
      picMaster: this.#parts.vm.irqchip(KVM.IRQCHIP_PIC_MASTER),
      picSlave: this.#parts.vm.irqchip(KVM.IRQCHIP_PIC_SLAVE),
      ioapic: this.#parts.vm.irqchip(KVM.IRQCHIP_IOAPIC),
      pit: this.#parts.vm.pit(),
      events: new Uint8Array(events.buffer, events.byteOffset, events.byteLength),
      mpState: this.kvm.mpState,
    });
  }

  inject(vector?: number): void {
    const { lapic } = this.interrupts();
    const { vm, injected } = this.#parts;
    const address = messageAddress(lapic?.id ?? this.index);
    // The data of a message with fixed delivery, edge-triggered, is the vector alone: SDM vol. 3A 11.11.2.
    const data = vector ?? NMI_DATA;
    this.#registers.forget();
    if (vector === undefined) this.kvm.nmi();
    else if (signalMsi(vm.fd, address, data) <= 0) {
      throw new RangeError(`the local APIC of vCPU ${this.index} takes no interrupts: the guest has not enabled it`);
    }
    injected({ address, data });
  }

  msrs(): readonly Msr[] {
    this.#mustBeStopped();
    return this.kvm
      .readableMsrs(this.#parts.msrIndices)
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
