/**
 * Events that a KVM which interprets supervisor code has lost. It writes an interrupt's frame itself; where it may not,
 * because something on the stack's page is watched, it takes the interrupt for delivered and raises a page fault, then a
 * double fault and, where the guest's handler of that has no stack of its own, a triple fault. The vCPU can be let go
 * again from where it was; exceptions then come again by themselves. Interrupts do not, and are let in by hand.
 */
import { NMI_VECTOR } from '../interrupts/vectors.ts';
import type { InterruptState, PicState } from '../protocol/inspect.ts';
import { frameOf, putBack } from './exception-frame.ts';
import { injectNmi } from './guest-events.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { VirtualMemory } from './virtual-memory.ts';

export const DOUBLE_FAULT = 8;
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
  // Other interrupts are held off meanwhile: see waitingVector.
  if (!vcpu.interrupts().pending.nmi.masked) return undefined;
  vcpu.registers.forget();
  injectNmi(vcpu.kvm);
  return NMI_VECTOR;
}

/**
 * The vector that a vCPU with interrupts enabled takes next, by what its controllers hold requested; undefined for none.
 * Intel SDM vol. 3A 11.8.3; Intel 8259A datasheet, "Priority resolver".
 */
export function waitingVector({ pending, lapic, pic }: Waiting): number | undefined {
  if (pending.nmi.pending && !pending.nmi.masked) return NMI_VECTOR;
  const highest = lapic && Math.max(...lapic.irr, 0);
  return highest && highest >> 4 > lapic.tpr >> 4 ? highest : picVector(pic);
}

type Waiting = Pick<InterruptState, 'pending' | 'lapic' | 'pic'>;

function picVector([master, slave]: InterruptState['pic']): number | undefined {
  const chip = requested(master) === CASCADE ? slave : master;
  const input = requested(chip);
  return chip && input !== undefined ? chip.vectorBase + input : undefined;
}

/** The input of the highest priority that is requested and neither masked nor held by one in service. */
function requested(chip: PicState | undefined): number | undefined {
  if (!chip) return undefined;
  const inputs = Array.from({ length: 8 }, (_, rank) => (rank + chip.highestPriority) & 7);
  const first = inputs.find((input) => ((chip.irr & ~chip.imr) | chip.isr) & (1 << input));
  return first === undefined || chip.isr & (1 << first) ? undefined : first;
}
