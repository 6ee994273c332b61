/** Registers whose shape in KVM's structures is not the one in the target description. */
import { OFFSET } from '../kvm/abi.ts';

const at = OFFSET.kvm_segment;

/** Bits of the VMX access-rights field (Intel SDM vol. 3C 24.4.1), by the byte of struct kvm_segment that holds them. */
const rights = [
  { offset: at.type, shift: 0, mask: 0xf },
  { offset: at.s, shift: 4, mask: 1 },
  { offset: at.dpl, shift: 5, mask: 3 },
  { offset: at.present, shift: 7, mask: 1 },
  { offset: at.avl, shift: 12, mask: 1 },
  { offset: at.l, shift: 13, mask: 1 },
  { offset: at.db, shift: 14, mask: 1 },
  { offset: at.g, shift: 15, mask: 1 },
  { offset: at.unusable, shift: 16, mask: 1 },
] as const;

/** Access rights of the segment at `start` of a kvm_sregs. */
export function packAccessRights(sregs: DataView, start: number): number {
  return rights.reduce((sum, { offset, shift, mask }) => sum | ((sregs.getUint8(start + offset) & mask) << shift), 0);
}

export function unpackAccessRights(sregs: DataView, start: number, value: number): void {
  for (const { offset, shift, mask } of rights) sregs.setUint8(start + offset, (value >>> shift) & mask);
}

/** The legacy region of an XSAVE area (Intel SDM vol. 1 table 13-1 and 10.5.1), and the header word after it. */
export const XSAVE = {
  fcw: 0,
  fsw: 2,
  ftw: 4,
  fop: 6,
  fip: 8,
  fdp: 16,
  mxcsr: 24,
  st: 32,
  xmm: 160,
  bitmap: 512,
  /** Upper halves of YMM0 to YMM15, in the standard format that KVM_GET_XSAVE has (Intel SDM vol. 1 13.4.2). */
  ymmHigh: 576,
} as const;

/** Parts of the state that an XSAVE area can hold; KVM refuses AVX on a processor without it. */
export const XSTATE = { x87AndSse: 3n, avx: 4n } as const;

/** Marks parts of the state as present, without which the processor would take their initial values instead. */
export function markPresent(xsave: DataView, parts: bigint): void {
  xsave.setBigUint64(XSAVE.bitmap, xsave.getBigUint64(XSAVE.bitmap, true) | parts, true);
}

const VALID = 0;
const ZERO = 1;
const SPECIAL = 2;
const EMPTY = 3;

/** The full x87 tag word (Intel SDM vol. 1 8.1.7): two bits for each physical register, worked out from its value. */
export function unpackTag(state: DataView): number {
  const top = (state.getUint16(XSAVE.fsw, true) >> 11) & 7;
  const present = state.getUint8(XSAVE.ftw);
  let word = 0;
  for (let physical = 0; physical < 8; physical++) {
    const st = (physical - top) & 7;
    const tag = (present >> physical) & 1 ? classify(state, XSAVE.st + 16 * st) : EMPTY;
    word |= tag << (2 * physical);
  }
  return word;
}

function classify(state: DataView, start: number): number {
  const exponent = state.getUint16(start + 8, true) & 0x7fff;
  const significand = state.getBigUint64(start, true);
  if (exponent === 0 && significand === 0n) return ZERO;
  return exponent === 0 || exponent === 0x7fff || significand >> 63n === 0n ? SPECIAL : VALID;
}

/** One bit a physical register, set where it is not empty. */
export function packTag(word: number): number {
  let present = 0;
  for (let physical = 0; physical < 8; physical++) {
    if (((word >> (2 * physical)) & 3) !== EMPTY) present |= 1 << physical;
  }
  return present;
}
