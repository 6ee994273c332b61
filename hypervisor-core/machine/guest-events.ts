/** Exceptions on their way into the guest (struct kvm_vcpu_events). */
import { VCPU_EVENTS } from '../interrupts/vcpu-events.ts';
import { NMI_VECTOR } from '../interrupts/vectors.ts';
import { KVM } from '../kvm/abi.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';

const at = VCPU_EVENTS;
const UD_VECTOR = 6;

/** Vector of what KVM has begun to deliver and has not got to its handler yet; undefined when there is none. */
export function inDelivery(events: DataView): number | undefined {
  if (events.getUint8(at['exception.injected'])) return events.getUint8(at['exception.nr']);
  if (events.getUint8(at['nmi.injected'])) return NMI_VECTOR;
  return events.getUint8(at['interrupt.injected']) ? events.getUint8(at['interrupt.nr']) : undefined;
}

/** True while an NMI waits, because another one is being handled or because the debugger holds interrupts off. */
export const nmiWaits = (events: DataView): boolean => events.getUint8(at['nmi.pending']) !== 0;

/**
 * Takes back the #UD that KVM queues when its emulator gives up, so that the instruction can be tried again; `events` are
 * those of this exit.
 */
export function dropQueuedUndefinedOpcode(vcpu: KvmVcpu, events = vcpu.get('vcpu_events')): void {
  if (events.getUint8(at['exception.nr']) !== UD_VECTOR) return;
  events.setUint8(at['exception.injected'], 0);
  events.setUint8(at['exception.pending'], 0);
  vcpu.set('vcpu_events', events);
}

/** Has the guest take an exception without error code at the next entry. */
export function injectException(vcpu: KvmVcpu, vector: number): void {
  inject(vcpu, (events) => {
    events.setUint8(at['exception.injected'], 1);
    events.setUint8(at['exception.pending'], 0);
    events.setUint8(at['exception.nr'], vector);
    events.setUint8(at['exception.has_error_code'], 0);
  });
}

/** Has the guest take an NMI at the next entry, even when it is taken to handle one. */
export const injectNmi = (vcpu: KvmVcpu): void => inject(vcpu, (events) => events.setUint8(at['nmi.injected'], 1));

function inject(vcpu: KvmVcpu, edit: (events: DataView) => void): void {
  const events = vcpu.get('vcpu_events');
  edit(events);
  events.setUint32(at.flags, events.getUint32(at.flags, true) & ~KVM.VCPUEVENT_VALID_PAYLOAD, true);
  vcpu.set('vcpu_events', events);
}
