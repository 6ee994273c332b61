/**
 * Everything that KVM keeps of a machine, to be taken from it and put back (Documentation/virt/kvm/api.rst). Nothing of it
 * may run meanwhile.
 */
import { KVM } from './abi.ts';
import type { KvmVcpu, StateName } from './vcpu.ts';
import type { KvmVm } from './vm.ts';

/** In the order in which they can be put back: the local APIC's base is in the sregs, its mode decides about its page. */
const structures = ['sregs', 'regs', 'xcrs', 'xsave', 'debugregs'] as const satisfies readonly StateName[];
const chips = [KVM.IRQCHIP_PIC_MASTER, KVM.IRQCHIP_PIC_SLAVE, KVM.IRQCHIP_IOAPIC];

export interface VcpuState {
  readonly structures: Readonly<Record<(typeof structures)[number] | 'vcpu_events', Uint8Array>>;
  readonly lapic: Uint8Array;
  readonly msrs: readonly { readonly index: number; readonly value: bigint }[];
  readonly mpState: number;
}

export interface ChipState {
  /** Both PICs and the I/O APIC. */
  readonly irqchips: readonly Uint8Array[];
  readonly pit: Uint8Array;
  /** Nanoseconds of kvmclock. */
  readonly clock: bigint;
}

const bytesOf = (view: DataView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `msrIndices`: the MSRs that this KVM can save; those that it refuses on this processor are left out. */
export function saveVcpu(vcpu: KvmVcpu, msrIndices: readonly number[]): VcpuState {
  const save = (name: StateName) => bytesOf(vcpu.get(name));
  return {
    structures: {
      sregs: save('sregs'),
      regs: save('regs'),
      xcrs: save('xcrs'),
      xsave: save('xsave'),
      debugregs: save('debugregs'),
      vcpu_events: save('vcpu_events'),
    },
    lapic: vcpu.lapic(),
    msrs: vcpu.readableMsrs(msrIndices),
    mpState: vcpu.mpState,
  };
}

/** Throws where KVM refuses a value, as it may when the state comes from another processor. */
export function loadVcpu(vcpu: KvmVcpu, state: VcpuState): void {
  for (const name of structures) vcpu.set(name, viewOf(state.structures[name]));
  vcpu.setLapic(state.lapic);
  // After the local APIC, whose timer the TSC deadline arms.
  vcpu.setMsrs(state.msrs);
  vcpu.mpState = state.mpState;
  vcpu.set('vcpu_events', viewOf(state.structures.vcpu_events));
}

export function saveChips(vm: KvmVm): ChipState {
  return { irqchips: chips.map((chip) => vm.irqchip(chip)), pit: vm.pit(), clock: vm.clock };
}

export function loadChips(vm: KvmVm, { irqchips, pit, clock }: ChipState): void {
  for (const chip of irqchips) vm.setIrqchip(chip);
  vm.setPit(pit);
  vm.clock = clock;
}
