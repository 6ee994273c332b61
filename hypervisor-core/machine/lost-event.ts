/**
 * Events that a KVM which interprets supervisor code has lost. It writes an interrupt's frame itself; where it may not,
 * because something on the stack's page is watched, it takes the interrupt for delivered and raises a page fault, then a
 * double fault and, where the guest's handler of that has no stack of its own, a triple fault. The vCPU can be let go
 * again from where it was; exceptions then come again by themselves.
 */
import { KVM, OFFSET } from '../kvm/abi.ts';
import type { InterruptState, PicState } from '../protocol/inspect.ts';
import { frameOf, putBack } from './exception-frame.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { VirtualMemory } from './virtual-memory.ts';

const at = OFFSET.kvm_vcpu_events;
const NMI_VECTOR = 2;
export const DOUBLE_FAULT = 8;
const INTERRUPT_FLAG = 1n << 9n;
/** The master's input that the slave is at. */
const CASCADE = 2;

/** Puts a vCPU that has entered its handler of double faults back to before; false when its frame cannot be read. */
export function leaveDoubleFault(vcpu: MachineVcpu, memory: VirtualMemory): boolean {
  const frame = frameOf(vcpu, memory, true);
  if (frame) putBack(vcpu, frame);
  return frame !== undefined;
}

/** Has the vCPU take once more what was lost, and returns its vector; undefined when that was an exception. */
export function queueLostEvent(vcpu: MachineVcpu): number | undefined {
  const vector = lostVector(vcpu.interrupts(), (vcpu.registers.get('eflags') & INTERRUPT_FLAG) !== 0n);
  if (vector === undefined) return undefined;
  vcpu.registers.change('vcpu_events', (events) => {
    if (vector === NMI_VECTOR) events.setUint8(at['nmi.injected'], 1);
    else {
      events.setUint8(at['interrupt.injected'], 1);
      events.setUint8(at['interrupt.nr'], vector);
    }
    events.setUint32(at.flags, events.getUint32(at.flags, true) & ~KVM.VCPUEVENT_VALID_PAYLOAD, true);
  });
  return vector;
}

/**
 * The vector of the interrupt that the controllers take for delivered and that no handler has begun with; `enabled` is
 * RFLAGS.IF. A controller counts an interrupt as in service once it has handed it over: the one of the highest priority
 * is the last. With interrupts off it can only have been an NMI.
 */
export function lostVector(
  state: Pick<InterruptState, 'pending' | 'lapic' | 'pic'>,
  enabled: boolean,
): number | undefined {
  const { pending, lapic, pic } = state;
  if (pending.nmi.masked) return NMI_VECTOR;
  if (!enabled) return undefined;
  return lapic?.isr.length ? Math.max(...lapic.isr) : picVector(pic);
}

function picVector([master, slave]: InterruptState['pic']): number | undefined {
  const chip = inService(master) === CASCADE ? slave : master;
  const input = inService(chip);
  return chip && input !== undefined ? chip.vectorBase + input : undefined;
}

/** The input of the highest priority that waits for its end (Intel 8259A datasheet, "Priority resolver"). */
function inService(chip: PicState | undefined): number | undefined {
  if (!chip) return undefined;
  const inputs = Array.from({ length: 8 }, (_, rank) => (rank + chip.highestPriority) & 7);
  return inputs.find((input) => (chip.isr >> input) & 1);
}
