/** Everything that KVM says about the interrupts of one vCPU, decoded. */
import type { InterruptState } from '../protocol/inspect.ts';
import { decodeIoapic, decodePic, decodePit } from './irqchip.ts';
import { decodeLapic } from './lapic.ts';
import { decodeVcpuEvents } from './vcpu-events.ts';

/** The kernel's structures as bytes. */
export interface RawInterruptState {
  /** KVM_GET_LAPIC, and IA32_APIC_BASE as `kvm_sregs` has it. */
  readonly lapic: { readonly page: Uint8Array; readonly base: bigint };
  /** KVM_GET_IRQCHIP by chip. */
  readonly picMaster: Uint8Array;
  readonly picSlave: Uint8Array;
  readonly ioapic: Uint8Array;
  /** KVM_GET_PIT2. */
  readonly pit: Uint8Array;
  /** KVM_GET_VCPU_EVENTS. */
  readonly events: Uint8Array;
  /** KVM_GET_MP_STATE. */
  readonly mpState: number;
}

export function decodeInterruptState(vcpu: number, raw: RawInterruptState): InterruptState {
  return {
    vcpu,
    lapic: decodeLapic(raw.lapic.page, raw.lapic.base),
    ioapic: decodeIoapic(raw.ioapic),
    pic: [decodePic('master', raw.picMaster), decodePic('slave', raw.picSlave)],
    pit: decodePit(raw.pit),
    pending: decodeVcpuEvents(raw.events, raw.mpState),
  };
}
