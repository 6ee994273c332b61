/** Decodes `struct kvm_vcpu_events` (asm/kvm.h): what is on its way into a vCPU. */
import type { PendingEvents } from '../protocol/inspect.ts';

/** Byte offsets of its fields. */
export const VCPU_EVENTS = {
  'exception.injected': 0,
  'exception.nr': 1,
  'exception.has_error_code': 2,
  'exception.pending': 3,
  'exception.error_code': 4,
  'interrupt.injected': 8,
  'interrupt.nr': 9,
  'interrupt.soft': 10,
  'interrupt.shadow': 11,
  'nmi.injected': 12,
  'nmi.pending': 13,
  'nmi.masked': 14,
  flags: 20,
  'smi.smm': 24,
  'smi.pending': 25,
} as const;

const at = VCPU_EVENTS;

/** KVM_MP_STATE_* by number. */
const mpStates: readonly PendingEvents['mpState'][] = [
  'running',
  'uninitialized',
  'init-received',
  'halted',
  'sipi-received',
  'stopped',
];

/** `mpState` is the number of KVM_GET_MP_STATE. */
export function decodeVcpuEvents(events: Uint8Array, mpState: number): PendingEvents {
  const view = new DataView(events.buffer, events.byteOffset, events.byteLength);
  const flag = (field: number) => view.getUint8(field) !== 0;
  const injected = flag(at['exception.injected']);
  return {
    ...((injected || flag(at['exception.pending'])) && {
      exception: {
        vector: view.getUint8(at['exception.nr']),
        ...(flag(at['exception.has_error_code']) && { errorCode: view.getUint32(at['exception.error_code'], true) }),
        injected,
      },
    }),
    ...(flag(at['interrupt.injected']) && {
      interrupt: { vector: view.getUint8(at['interrupt.nr']), soft: flag(at['interrupt.soft']) },
    }),
    interruptShadow: flag(at['interrupt.shadow']),
    nmi: { pending: flag(at['nmi.pending']), injected: flag(at['nmi.injected']), masked: flag(at['nmi.masked']) },
    smi: { pending: flag(at['smi.pending']), inSmm: flag(at['smi.smm']) },
    mpState: mpStates[mpState] ?? 'stopped',
  };
}
