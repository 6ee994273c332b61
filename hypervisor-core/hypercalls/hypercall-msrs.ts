/**
 * The MSRs by which a guest asks for its hypercall page. State is shared between the vCPU workers; callers hold the
 * devices' lock. An access that these functions do not know is a general protection fault for the guest.
 */
import type { Personality } from '../protocol/inspect.ts';
import { hyperv } from './hyperv.ts';
import { XEN_HYPERCALL_MSR, xen } from './xen.ts';

/** First and number of the MSRs that must reach us instead of KVM. */
export const HYPERCALL_MSRS = { first: 0x4000_0000, count: 0x100 };
/** Bytes of shared, zeroed memory. */
export const HYPERCALL_MSR_BYTES = 16;

const HV_GUEST_OS_ID = 0x4000_0000;
const HV_HYPERCALL = 0x4000_0001;
const HV_VP_INDEX = 0x4000_0002;
const HV_ENABLE = 1n;
const HV_LOCKED = 2n;
const AT = { guestOsId: 0, hypercall: 8 };
const PAGE = -0x1000n;

/** What a write asks for: bytes to put at a guest-physical address. */
export interface MsrEffect {
  readonly fill?: { readonly gpa: bigint; readonly bytes: Uint8Array };
}

/** The value that the guest reads; undefined when the MSR does not exist. */
export function readHypercallMsr(
  personality: Personality,
  state: DataView,
  index: number,
  vcpu: number,
): bigint | undefined {
  if (personality !== 'hyperv') return undefined;
  if (index === HV_GUEST_OS_ID) return state.getBigUint64(AT.guestOsId, true);
  if (index === HV_HYPERCALL) return state.getBigUint64(AT.hypercall, true);
  return index === HV_VP_INDEX ? BigInt(vcpu) : undefined;
}

/** What must be done for a write; undefined when the MSR does not exist or the value is wrong. */
export function writeHypercallMsr(
  personality: Personality,
  state: DataView,
  index: number,
  value: bigint,
): MsrEffect | undefined {
  if (personality === 'xen') return index === XEN_HYPERCALL_MSR ? fillXenPage(value) : undefined;
  if (personality !== 'hyperv') return undefined;
  if (index === HV_GUEST_OS_ID) {
    state.setBigUint64(AT.guestOsId, value, true);
    return {};
  }
  return index === HV_HYPERCALL ? enableHypervPage(state, value) : undefined;
}

/** The low bits number the page; there is one. */
function fillXenPage(value: bigint): MsrEffect | undefined {
  if (value & ~PAGE & 0xfffn) return undefined;
  return { fill: { gpa: value, bytes: xen.page?.() ?? new Uint8Array() } };
}

/** TLFS 3.13: the page cannot be enabled before the guest OS id is set, nor moved once it is locked. */
function enableHypervPage(state: DataView, value: bigint): MsrEffect {
  const before = state.getBigUint64(AT.hypercall, true);
  if (before & HV_LOCKED) return {};
  const allowed = state.getBigUint64(AT.guestOsId, true) !== 0n ? value : value & ~HV_ENABLE;
  state.setBigUint64(AT.hypercall, allowed, true);
  if (!(allowed & HV_ENABLE)) return {};
  return { fill: { gpa: allowed & PAGE, bytes: hyperv.page?.() ?? new Uint8Array() } };
}
