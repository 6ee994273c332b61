/** The linear address of the next instruction, which is what breakpoints are about, in every processor mode. */
import { OFFSET } from '../kvm/abi.ts';

const EFER_LMA = 1n << 10n;
const { cs, efer } = OFFSET.kvm_sregs;

/** How the code at CS of a kvm_sregs is decoded, Intel SDM vol. 3A 3.4.5 and 5.2.1. */
export function codeBits(sregs: DataView): 16 | 32 | 64 {
  if (isLong(sregs)) return 64;
  return sregs.getUint8(cs + OFFSET.kvm_segment.db) === 0 ? 16 : 32;
}

const isLong = (sregs: DataView): boolean =>
  (sregs.getBigUint64(efer, true) & EFER_LMA) !== 0n && sregs.getUint8(cs + OFFSET.kvm_segment.l) !== 0;

/** `rip` plus the base of CS, which counts for nothing in 64-bit code. */
export function linearPc(sregs: DataView, rip: bigint): bigint {
  return isLong(sregs) ? rip : BigInt.asUintN(32, sregs.getBigUint64(cs + OFFSET.kvm_segment.base, true) + rip);
}
