/**
 * Events that a KVM which interprets supervisor code has lost. It writes an interrupt's frame itself; where it may not,
 * because something on the stack's page is watched, it takes the interrupt for delivered and raises a page fault, then a
 * double fault and, where the guest's handler of that has no stack of its own, a triple fault. The vCPU can be let go
 * again from where it was; exceptions then come again by themselves. Interrupts do not, and are let in by hand.
 */
import { NMI_VECTOR } from '../interrupts/vectors.ts';
import { frameOf, putBack } from './exception-frame.ts';
import { injectNmi } from './guest-events.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { VirtualMemory } from './virtual-memory.ts';

export const DOUBLE_FAULT = 8;

/** Puts a vCPU that has entered its handler of double faults back to before; false when its frame cannot be read. */
export function leaveDoubleFault(vcpu: MachineVcpu, memory: VirtualMemory): boolean {
  const frame = frameOf(vcpu, memory, DOUBLE_FAULT);
  if (frame) putBack(vcpu, frame);
  return frame !== undefined;
}

/** Has the vCPU take once more what was lost, and returns its vector; undefined when that was an exception. */
export function queueLostEvent(vcpu: MachineVcpu): number | undefined {
  // Other interrupts are held off meanwhile: see waitingVector of interrupts/priority.ts.
  if (!vcpu.interrupts().pending.nmi.masked) return undefined;
  vcpu.registers.forget();
  injectNmi(vcpu.kvm);
  return NMI_VECTOR;
}
