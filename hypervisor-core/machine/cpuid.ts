/**
 * The CPUID leaves that a guest sees: what this KVM can do, less what its emulator cannot keep, plus the vCPU's own
 * number. Intel SDM vol. 2A, CPUID; AMD APM vol. 3 appendix E.
 */
import type { HostFeatures } from '../hypercalls/abi.ts';
import { conventionOf } from '../hypercalls/hypercalls.ts';
import type { CpuidEntry } from '../kvm/kvm.ts';
import type { Personality } from '../protocol/inspect.ts';

const HYPERVISOR_LEAVES = 0x4000_0000;

/** A feature bit to hide. */
interface Feature {
  readonly leaf: number;
  readonly index?: number;
  readonly register: 'eax' | 'ebx' | 'ecx' | 'edx';
  readonly bit: number;
}

/**
 * Features whose instructions KVM's emulator lacks. Hidden where supervisor code is emulated: a kernel that believed in
 * them would stop at the first one.
 */
const beyondEmulator: readonly Feature[] = [
  { leaf: 1, register: 'ecx', bit: 13 }, // CMPXCHG16B
  { leaf: 1, register: 'ecx', bit: 23 }, // POPCNT
  { leaf: 1, register: 'ecx', bit: 26 }, // XSAVE
  { leaf: 1, register: 'ecx', bit: 27 }, // OSXSAVE
  { leaf: 1, register: 'ecx', bit: 28 }, // AVX
  { leaf: 7, register: 'ebx', bit: 7 }, // SMEP
  { leaf: 7, register: 'ebx', bit: 20 }, // SMAP
  { leaf: 7, register: 'ebx', bit: 5 }, // AVX2
  { leaf: 7, register: 'ecx', bit: 3 }, // PKU
  { leaf: 0x8000_0001, register: 'edx', bit: 27 }, // RDTSCP
  { leaf: 7, register: 'ecx', bit: 22 }, // RDPID
  { leaf: 7, register: 'ecx', bit: 7 }, // shadow stacks, for RDSSP
  { leaf: 7, register: 'edx', bit: 20 }, // indirect branch tracking
];
const XSAVE_LEAF = 0xd;

export interface CpuidPolicy extends HostFeatures {
  readonly personality: Personality;
  /** The host probe: supervisor code is interpreted by KVM's emulator. */
  readonly emulatedSupervisor: boolean;
  /** The host probe: the instruction that guests of KVM call it by comes back. */
  readonly vmcallReturns: boolean;
}

/** The leaves of vCPU `index` of `cpus`. */
export function guestCpuid(
  supported: readonly CpuidEntry[],
  { personality, emulatedSupervisor, vmcallReturns, hypervMsrs }: CpuidPolicy,
  index: number,
  cpus: number,
): CpuidEntry[] {
  const hiddenLeaves = (leaf: number) =>
    (leaf >= HYPERVISOR_LEAVES && leaf < HYPERVISOR_LEAVES + 0x100 && !(personality === 'kvm' && vmcallReturns)) ||
    (emulatedSupervisor && leaf === XSAVE_LEAF);
  const announced = (conventionOf(personality)?.cpuid(index, { hypervMsrs }) ?? []).map(
    ({ leaf, ...registers }): CpuidEntry => ({ function: leaf, index: 0, flags: 0, ...registers }),
  );
  const leaves = supported
    .filter(({ function: leaf }) => !hiddenLeaves(leaf >>> 0))
    .map((entry) => numbered(emulatedSupervisor ? without(entry, beyondEmulator) : { ...entry }, index, cpus))
    .concat(announced);
  const hasHypervisorLeaves = leaves.some(
    ({ function: leaf }) => leaf >>> 0 >= HYPERVISOR_LEAVES && leaf >>> 0 < 0x8000_0000,
  );
  return leaves.map((entry) => (entry.function === 1 && hasHypervisorLeaves ? withHypervisorBit(entry) : entry));
}

function without(entry: CpuidEntry, features: readonly Feature[]): CpuidEntry {
  const masked = { ...entry };
  for (const { leaf, index = 0, register, bit } of features) {
    if (entry.function >>> 0 === leaf && entry.index === index)
      masked[register] = (masked[register] & ~(1 << bit)) >>> 0;
  }
  return masked;
}

/** Says that there are hypervisor leaves at all; older kernels leave that to us. */
const withHypervisorBit = (entry: CpuidEntry): CpuidEntry => ({ ...entry, ecx: (entry.ecx | (1 << 31)) >>> 0 });

/** Puts the local APIC's id and the number of processors where the guest looks for them. */
function numbered(entry: CpuidEntry, index: number, cpus: number): CpuidEntry {
  switch (entry.function >>> 0) {
    case 1:
      return { ...entry, ebx: ((entry.ebx & 0xffff) | (Math.min(cpus, 255) << 16) | (index << 24)) >>> 0 };
    case 0xb:
    case 0x1f:
      return { ...entry, edx: index };
    default:
      return entry;
  }
}
