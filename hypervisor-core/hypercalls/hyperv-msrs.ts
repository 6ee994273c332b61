/**
 * Hyper-V's synthetic MSRs (TLFS 3.13 and appendix F). The guest OS id and the hypercall page are ours on every host, so
 * that calls come here; all others are KVM's where it has them, and else the few that need no timer and no message.
 */
import type { HostFeatures, MsrRange, Platform } from './abi.ts';
import { singleEntryPage } from './hypercall-page.ts';

const GUEST_OS_ID = 0x4000_0000;
const HYPERCALL = 0x4000_0001;
const VP_INDEX = 0x4000_0002;
const TIME_REF_COUNT = 0x4000_0020;
const ENABLE = 1n;
const LOCKED = 2n;
const PAGE = -0x1000n;
const AT = { guestOsId: 0, hypercall: 8 };
/** Time reference counts in units of 100 ns. */
const REFERENCE_TICKS_PER_MICROSECOND = 10;

/** Build, version and service pack as CPUID leaf 0x40000002 and HvRegisterHypervisorVersion give them: 10.0. */
export const HYPERV_VERSION = { eax: 0, ebx: 10 << 16, ecx: 0, edx: 0 } as const;

export const hypervMsrRanges = ({ hypervMsrs }: HostFeatures): MsrRange[] => [
  { first: GUEST_OS_ID, count: hypervMsrs ? 2 : 0x200 },
];

export const guestOsId = (state: DataView): bigint => state.getBigUint64(AT.guestOsId, true);

export function readHypervMsr(index: number, { state, vcpu, now }: Platform): bigint | undefined {
  switch (index) {
    case GUEST_OS_ID:
      return guestOsId(state);
    case HYPERCALL:
      return state.getBigUint64(AT.hypercall, true);
    case VP_INDEX:
      return BigInt(vcpu);
    case TIME_REF_COUNT:
      return BigInt(Math.floor(now() * REFERENCE_TICKS_PER_MICROSECOND));
    default:
      return undefined;
  }
}

export function writeHypervMsr(index: number, value: bigint, platform: Platform): boolean {
  if (index === HYPERCALL) return enablePage(value, platform);
  if (index !== GUEST_OS_ID) return false;
  const { state } = platform;
  state.setBigUint64(AT.guestOsId, value, true);
  // Without an identity there are no hypercalls.
  if (value === 0n) state.setBigUint64(AT.hypercall, state.getBigUint64(AT.hypercall, true) & ~ENABLE, true);
  return true;
}

/**
 * The page cannot be enabled before the guest OS id is set, nor moved once it is locked; a page outside of guest memory
 * is a general protection fault.
 */
function enablePage(value: bigint, { state, memory }: Platform): boolean {
  if (state.getBigUint64(AT.hypercall, true) & LOCKED) return true;
  const allowed = guestOsId(state) === 0n ? value & ~ENABLE : value;
  if (allowed & ENABLE) {
    const page = singleEntryPage();
    if (memory.writePhysical(allowed & PAGE, page) !== page.length) return false;
  }
  state.setBigUint64(AT.hypercall, allowed, true);
  return true;
}
