/** Which way the calls of a guest are seen, and which are not. */
import type { MachineInfo, Personality } from '../../debug-adapter/protocol/custom.ts';

const NAMES: Readonly<Record<Exclude<Personality, 'none'>, string>> = { kvm: 'KVM', xen: 'Xen', hyperv: 'Hyper-V' };

/** In sentences, by the hypervisor that the guest finds and the instructions in its file that were opened. */
export function waysSeen({ personality, callSites }: Pick<MachineInfo, 'personality' | 'callSites'>): string {
  if (personality === 'none') return 'The guest finds no hypervisor that it could call ("personality" in launch.json).';
  const ways = [
    ...(personality === 'kvm' ? [] : ['its hypercall page']),
    ...(callSites > 0 ? [`the ${callSites} VMCALL and VMMCALL instructions of its file`] : []),
  ];
  const seen = ways.length > 0 ? `Calls by ${ways.join(' and by ')} are seen` : 'Its file has no VMCALL or VMMCALL';
  return `The guest finds ${NAMES[personality]}. ${seen}; VMCALL and VMMCALL of modules and user code go to KVM, unseen.`;
}
