/** Decodes `struct kvm_vcpu_events` (asm/kvm.h): what is on its way into a vCPU. */
import type { PendingEvents } from '../protocol/inspect.ts';

const AT = {
  exceptionInjected: 0,
  exceptionVector: 1,
  exceptionHasErrorCode: 2,
  exceptionPending: 3,
  exceptionErrorCode: 4,
  interruptInjected: 8,
  interruptVector: 9,
  interruptSoft: 10,
  interruptShadow: 11,
  nmiInjected: 12,
  nmiPending: 13,
  nmiMasked: 14,
  inSmm: 24,
  smiPending: 25,
};

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
  const injected = flag(AT.exceptionInjected);
  return {
    ...((injected || flag(AT.exceptionPending)) && {
      exception: {
        vector: view.getUint8(AT.exceptionVector),
        ...(flag(AT.exceptionHasErrorCode) && { errorCode: view.getUint32(AT.exceptionErrorCode, true) }),
        injected,
      },
    }),
    ...(flag(AT.interruptInjected) && {
      interrupt: { vector: view.getUint8(AT.interruptVector), soft: flag(AT.interruptSoft) },
    }),
    interruptShadow: flag(AT.interruptShadow),
    nmi: { pending: flag(AT.nmiPending), injected: flag(AT.nmiInjected), masked: flag(AT.nmiMasked) },
    smi: { pending: flag(AT.smiPending), inSmm: flag(AT.inSmm) },
    mpState: mpStates[mpState] ?? 'stopped',
  };
}
