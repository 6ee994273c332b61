/** What to say of a triple fault (Intel SDM vol. 3A 6.15, interrupt 8). */
import { hex } from '../protocol/hex.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { DebugStrategy } from './strategy.ts';
import type { VirtualMemory } from './virtual-memory.ts';

const PAGING = 1n << 31n;
const LONG_MODE_ENABLED = 1n << 8n;

export function tripleFaultText(
  vcpu: MachineVcpu,
  { strategy, memory }: { readonly strategy: DebugStrategy; readonly memory: VirtualMemory },
): string {
  const why = 'an exception could not be delivered, because the IDT or its handlers could not be used';
  if (!strategy.shutdownKeepsRegisters) {
    return `The guest raised a triple fault: ${why}. This host's processor does not keep the registers of that moment: those shown are of a processor after INIT, memory is as the guest left it.`;
  }
  const cause =
    !strategy.paging32 && turnsPagingOn(vcpu, memory)
      ? ' It was turning on 32-bit or PAE paging, which KVM on this host refuses (see ringside doctor): build the guest for 64 bits, use another host, or "backend": "qemu".'
      : '';
  return `The guest raised a triple fault at ${hex(vcpu.pc)}: ${why}.${cause}`;
}

/** True on a move to CR0 (0F 22 /0) without paging and long mode, which is the guest's way into paging of 32 bits. */
function turnsPagingOn(vcpu: MachineVcpu, memory: VirtualMemory): boolean {
  const { registers } = vcpu;
  if ((registers.get('cr0') & PAGING) !== 0n || (registers.get('efer') & LONG_MODE_ENABLED) !== 0n) return false;
  const [first, second, operands = 0] = memory.read(vcpu, vcpu.pc, 3);
  return first === 0x0f && second === 0x22 && (operands & 0xf8) === 0xc0;
}
