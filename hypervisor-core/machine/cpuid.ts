/**
 * The CPUID leaves that a guest sees: what this KVM can do, less what its emulator cannot keep, plus the vCPU's own
 * number. Intel SDM vol. 2A, CPUID; AMD APM vol. 3 appendix E.
 */
import type { HostFeatures } from '../hypercalls/abi.ts';
import { conventionOf } from '../hypercalls/hypercalls.ts';
import type { CpuidEntry } from '../kvm/kvm.ts';
import { type CpuChanges, type CpuFeature, cpuFeature } from '../protocol/cpu-features.ts';
import type { Personality } from '../protocol/inspect.ts';

const HYPERVISOR_LEAVES = 0x4000_0000;

/**
 * Features whose instructions KVM's emulator lacks. Hidden where supervisor code is emulated: a kernel that believed in
 * them would stop at the first one.
 */
const beyondEmulator: readonly CpuFeature[] = [
  ...['cx16', 'popcnt', 'xsave', 'avx', 'avx2', 'smep', 'smap', 'pku', 'rdtscp', 'rdpid', 'ibt'].map(cpuFeature),
  // Names of their own they have not: OSXSAVE, and shadow stacks for RDSSP.
  { leaf: 1, index: 0, register: 'ecx', bit: 27 },
  { leaf: 7, index: 0, register: 'ecx', bit: 7 },
];
const XSAVE_LEAF = 0xd;

export interface CpuidPolicy extends HostFeatures {
  readonly personality: Personality;
  /** The host probe: supervisor code is interpreted by KVM's emulator. */
  readonly emulatedSupervisor: boolean;
  /** The host probe: the instruction that guests of KVM call it by comes back. */
  readonly vmcallReturns: boolean;
  /** What the user wants otherwise. */
  readonly changes?: CpuChanges | undefined;
}

/** A feature cannot be exposed, because KVM does not have it. */
export class CpuFeatureError extends Error {}

/** The leaves of vCPU `index` of `cpus`. */
export function guestCpuid(
  supported: readonly CpuidEntry[],
  { personality, emulatedSupervisor, vmcallReturns, hypervMsrs, changes = { hide: [], expose: [] } }: CpuidPolicy,
  index: number,
  cpus: number,
): CpuidEntry[] {
  const exposed = changes.expose.map(cpuFeature);
  for (const [position, feature] of exposed.entries()) {
    if (supported.some((entry) => hasFeature(entry, feature))) continue;
    throw new CpuFeatureError(`this host's KVM has no ${changes.expose[position]} to expose`);
  }
  const hidden = (emulatedSupervisor ? beyondEmulator : [])
    .filter((feature) => !exposed.some((wanted) => sameBit(feature, wanted)))
    .concat(changes.hide.map(cpuFeature));
  const keepsXsave = exposed.some(({ leaf, register, bit }) => leaf === 1 && register === 'ecx' && bit === 26);
  const hiddenLeaves = (leaf: number) =>
    (leaf >= HYPERVISOR_LEAVES && leaf < HYPERVISOR_LEAVES + 0x100 && !(personality === 'kvm' && vmcallReturns)) ||
    (emulatedSupervisor && !keepsXsave && leaf === XSAVE_LEAF);
  const announced = (conventionOf(personality)?.cpuid(index, { hypervMsrs }) ?? []).map(
    ({ leaf, ...registers }): CpuidEntry => ({ function: leaf, index: 0, flags: 0, ...registers }),
  );
  return supported
    .filter(({ function: leaf }) => !hiddenLeaves(leaf >>> 0))
    .map((entry) => numbered(without(withHypervisorBit(entry), hidden), index, cpus))
    .concat(announced);
}

const sameBit = (a: CpuFeature, b: CpuFeature) =>
  a.leaf === b.leaf && a.index === b.index && a.register === b.register && a.bit === b.bit;

const inLeaf = (entry: CpuidEntry, { leaf, index }: CpuFeature) =>
  entry.function >>> 0 === leaf && entry.index === index;

const hasFeature = (entry: CpuidEntry, feature: CpuFeature) =>
  inLeaf(entry, feature) && ((entry[feature.register] >>> feature.bit) & 1) === 1;

/** A leaf less some features. */
export function without(entry: CpuidEntry, features: readonly CpuFeature[]): CpuidEntry {
  const masked = { ...entry };
  for (const feature of features) {
    const { register, bit } = feature;
    if (inLeaf(entry, feature)) masked[register] = (masked[register] & ~(1 << bit)) >>> 0;
  }
  return masked;
}

/**
 * Says that this is a virtual machine, with or without leaves that say of whom: else kernels mend errata of the processor
 * in MSRs that a guest does not have (Xen reads AMD's FP_CFG on Zen 1). KVM leaves that to us.
 */
const withHypervisorBit = (entry: CpuidEntry): CpuidEntry =>
  entry.function === 1 ? { ...entry, ecx: (entry.ecx | (1 << 31)) >>> 0 } : entry;

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
