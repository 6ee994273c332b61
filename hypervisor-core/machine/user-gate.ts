/**
 * Traps in user code on hosts where the trap byte does not leave the guest at CPL 3: there it raises an exception, so a
 * second trap stands at the guest's handler of that exception. A vCPU that runs into it with a frame from a planted trap,
 * or from a step by RFLAGS.TF, is put back to where the frame says, and the guest never knows. Long mode only.
 */
import { OFFSET } from '../kvm/abi.ts';
import { frameOf, fromUser, putBack, TRAP_FLAG } from './exception-frame.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { VirtualMemory } from './virtual-memory.ts';

const { sregs, segment } = { sregs: OFFSET.kvm_sregs, segment: OFFSET.kvm_segment };

/**
 * Looks at why a vCPU is in the handler. Gives the address of the planted trap that it came from, `stepped` after a step
 * by RFLAGS.TF, or undefined when the exception is the guest's own; in the first two cases it is back in user code.
 */
export function leaveGate(
  vcpu: MachineVcpu,
  memory: VirtualMemory,
  vector: number,
  isPlanted: (address: bigint) => boolean,
): bigint | 'stepped' | undefined {
  const frame = frameOf(vcpu, memory, vector);
  if (!frame || !fromUser(frame)) return undefined;
  // A step raises the same exception as ICEBP, but with TF in the flags that it pushes.
  if ((frame.rflags & TRAP_FLAG) !== 0n) {
    putBack(vcpu, frame);
    return 'stepped';
  }
  // Some exceptions point at the trap byte, some behind it, and for ICEBP KVMs differ.
  const address = [frame.rip, frame.rip - 1n].find(isPlanted);
  if (address === undefined) return undefined;
  putBack(vcpu, frame, address);
  return address;
}

/** Has the processor raise #DB after the next instruction of user code. */
export function setTrapFlag(vcpu: MachineVcpu): void {
  vcpu.registers.put('eflags', vcpu.registers.get('eflags') | TRAP_FLAG);
}

/** Takes RFLAGS.TF back from a vCPU that stopped before its step was done. */
export function clearTrapFlag(vcpu: MachineVcpu): void {
  vcpu.registers.put('eflags', vcpu.registers.get('eflags') & ~TRAP_FLAG);
}

/** True at CPL 3 in 64-bit code. */
export function inUserCode(vcpu: MachineVcpu): boolean {
  const state = vcpu.registers.state('sregs');
  return state.getUint8(sregs.ss + segment.dpl) === 3 && state.getUint8(sregs.cs + segment.l) === 1;
}
