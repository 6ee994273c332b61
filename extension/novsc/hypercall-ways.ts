/** Which way the calls of a guest are seen, and which are not. */
import type { MachineInfo, Personality } from '../../debug-adapter/protocol/custom.ts';

const NAMES: Readonly<Record<Exclude<Personality, 'none'>, string>> = { kvm: 'KVM', xen: 'Xen', hyperv: 'Hyper-V' };

/** In sentences, by the hypervisor that the guest finds and the instructions in its file that were opened. */
export function waysSeen({ personality, callSites }: Pick<MachineInfo, 'personality' | 'callSites'>): string {
  if (personality === 'none') return 'The guest finds no hypervisor that it could call ("personality" in launch.json).';
  const file = callSites > 0 ? [`the ${callSites} VMCALL and VMMCALL instructions of its file`] : [];
  const finds = `The guest finds ${NAMES[personality]}.`;
  if (personality !== 'kvm') {
    const ways = ['its hypercall page', ...file].join(' and by ');
    return `${finds} Calls by ${ways} are seen; VMCALL and VMMCALL of modules and user code go to KVM, unseen.`;
  }
  const always = file.map((way) => ` Calls by ${way} are seen.`).join('');
  const others =
    file.length > 0 ? 'those of its other code and its modules' : 'VMCALL and VMMCALL in its kernel and its modules';
  return `${finds}${always} While this view is open, calls by ${others} are seen; those of user code go to KVM, unseen.`;
}
