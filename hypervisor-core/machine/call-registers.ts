/** What a vCPU that makes a call tells it in. */
import type { CallRegisters } from '../hypercalls/abi.ts';
import { OFFSET } from '../kvm/abi.ts';

const { cs, ss } = OFFSET.kvm_sregs;
const { l, dpl } = OFFSET.kvm_segment;
const GENERAL = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'r8', 'r9', 'r10'] as const;

/** `sregs`: struct kvm_sregs. */
export function callRegisters(register: (name: (typeof GENERAL)[number]) => bigint, sregs: DataView): CallRegisters {
  const general = GENERAL.map((name) => [name, register(name)] as const);
  return {
    ...(Object.fromEntries(general) as Omit<CallRegisters, 'longMode' | 'cpl'>),
    longMode: sregs.getUint8(cs + l) !== 0,
    cpl: sregs.getUint8(ss + dpl),
  };
}
