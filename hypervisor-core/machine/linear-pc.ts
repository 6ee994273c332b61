/** The linear address of the next instruction, which is what breakpoints are about, in every processor mode. */
import { OFFSET } from '../kvm/abi.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';

const EFER_LMA = 1n << 10n;
const { cs, efer } = OFFSET.kvm_sregs;

/** `rip` plus the base of CS, which counts for nothing in 64-bit code. */
export function linearPc(vcpu: KvmVcpu, rip: bigint): bigint {
  const sregs = vcpu.get('sregs');
  const long = (sregs.getBigUint64(efer, true) & EFER_LMA) !== 0n && sregs.getUint8(cs + OFFSET.kvm_segment.l) !== 0;
  return long ? rip : BigInt.asUintN(32, sregs.getBigUint64(cs + OFFSET.kvm_segment.base, true) + rip);
}
