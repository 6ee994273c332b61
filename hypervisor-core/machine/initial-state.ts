/** Puts a boot image's processor state into the first vCPU. */
import type { InitialCpu, SegmentState } from '../boot/boot-image.ts';
import { OFFSET } from '../kvm/abi.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';

const at = OFFSET.kvm_segment;

function writeSegment(sregs: DataView, start: number, segment: SegmentState): void {
  sregs.setBigUint64(start + at.base, segment.base, true);
  sregs.setUint32(start + at.limit, segment.limit, true);
  sregs.setUint16(start + at.selector, segment.selector, true);
  for (const field of ['type', 's', 'dpl', 'present', 'l', 'db', 'g'] as const) {
    sregs.setUint8(start + at[field], segment[field]);
  }
  sregs.setUint8(start + at.avl, 0);
  sregs.setUint8(start + at.unusable, segment.present ? 0 : 1);
}

/** Loads the state of the first instruction. */
export function loadInitialState(vcpu: KvmVcpu, cpu: InitialCpu): void {
  const sregs = vcpu.get('sregs');
  for (const [name, segment] of Object.entries(cpu.segments)) {
    writeSegment(sregs, OFFSET.kvm_sregs[name as keyof typeof cpu.segments], segment);
  }
  for (const table of ['gdt', 'idt'] as const) {
    sregs.setBigUint64(OFFSET.kvm_sregs[table] + OFFSET.kvm_dtable.base, cpu[table].base, true);
    sregs.setUint16(OFFSET.kvm_sregs[table] + OFFSET.kvm_dtable.limit, cpu[table].limit, true);
  }
  for (const name of ['cr0', 'cr3', 'cr4', 'efer'] as const) {
    sregs.setBigUint64(OFFSET.kvm_sregs[name], cpu[name], true);
  }
  vcpu.set('sregs', sregs);

  const regs = new DataView(new ArrayBuffer(vcpu.get('regs').byteLength));
  for (const [name, value] of Object.entries(cpu.general)) {
    regs.setBigUint64(OFFSET.kvm_regs[name as keyof typeof OFFSET.kvm_regs], value, true);
  }
  vcpu.set('regs', regs);
}
