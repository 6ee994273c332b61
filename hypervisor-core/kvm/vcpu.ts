/** One virtual processor: its state by ioctl, in the kernel's own structures. Any thread may call while it does not run. */
import { KVM, OFFSET, SIZE } from './abi.ts';
import type { CpuidEntry } from './kvm.ts';
import { close, ioctl, ioctlRaw, ioctlValue } from './libc.ts';
import type { KvmVm } from './vm.ts';

/** Structures that KVM hands out and takes back whole, with their two ioctls. */
const structures = {
  regs: { bytes: SIZE.kvm_regs, get: KVM.GET_REGS, set: KVM.SET_REGS },
  sregs: { bytes: SIZE.kvm_sregs, get: KVM.GET_SREGS, set: KVM.SET_SREGS },
  xsave: { bytes: SIZE.kvm_xsave, get: KVM.GET_XSAVE, set: KVM.SET_XSAVE },
  debugregs: { bytes: SIZE.kvm_debugregs, get: KVM.GET_DEBUGREGS, set: KVM.SET_DEBUGREGS },
  xcrs: { bytes: SIZE.kvm_xcrs, get: KVM.GET_XCRS, set: KVM.SET_XCRS },
  vcpu_events: { bytes: SIZE.kvm_vcpu_events, get: KVM.GET_VCPU_EVENTS, set: KVM.SET_VCPU_EVENTS },
} as const;

/** Name of a structure, without `kvm_`. */
export type StateName = keyof typeof structures;

/** What KVM_SET_GUEST_DEBUG takes: KVM_GUESTDBG_ flags, DR0 to DR3 and DR7. */
export interface GuestDebug {
  readonly control: number;
  readonly addresses: readonly bigint[];
  readonly dr7: bigint;
}

export class KvmVcpu {
  readonly fd: number;
  readonly index: number;

  /** Takes the descriptor of a vCPU that exists, e.g. on another thread than the one that made it. */
  constructor(fd: number, index: number) {
    this.fd = fd;
    this.index = index;
  }

  static create(vm: KvmVm, index: number): KvmVcpu {
    return new KvmVcpu(ioctlValue(`KVM_CREATE_VCPU ${index}`, vm.fd, KVM.CREATE_VCPU, index), index);
  }

  /** A fresh copy of one state structure. */
  get(name: StateName): DataView {
    const { bytes, get } = structures[name];
    const buffer = new Uint8Array(bytes);
    ioctl(`KVM_GET_${name.toUpperCase()} on vCPU ${this.index}`, this.fd, get, buffer);
    return new DataView(buffer.buffer);
  }

  set(name: StateName, state: DataView): void {
    const buffer = new Uint8Array(state.buffer, state.byteOffset, state.byteLength);
    ioctl(`KVM_SET_${name.toUpperCase()} on vCPU ${this.index}`, this.fd, structures[name].set, buffer);
  }

  /** Values of the MSRs, in order, up to the first one that KVM refuses to read. */
  msrs(indices: readonly number[]): bigint[] {
    const buffer = msrList(indices.map((index) => ({ index, value: 0n })));
    const done = ioctl(`KVM_GET_MSRS on vCPU ${this.index}`, this.fd, KVM.GET_MSRS, buffer);
    return Array.from({ length: done }, (_, position) => buffer.readBigUInt64LE(msrAt(position, 'data')));
  }

  /** The MSRs of the list that KVM lets be read on this processor, with their values. */
  readableMsrs(indices: readonly number[]): { readonly index: number; readonly value: bigint }[] {
    const readable: { readonly index: number; readonly value: bigint }[] = [];
    for (let from = 0; from < indices.length; ) {
      const rest = indices.slice(from);
      const values = this.msrs(rest);
      for (const [position, value] of values.entries()) readable.push({ index: rest[position] ?? 0, value });
      // KVM stops at one that it refuses.
      from += values.length + 1;
    }
    return readable;
  }

  /** False when KVM refuses the value. */
  setMsr(index: number, value: bigint): boolean {
    const buffer = msrList([{ index, value }]);
    return ioctl(`KVM_SET_MSRS 0x${index.toString(16)}`, this.fd, KVM.SET_MSRS, buffer) === 1;
  }

  /** Throws when KVM refuses a value, unless it is the one that is there already: some MSRs cannot be written. */
  setMsrs(entries: readonly { readonly index: number; readonly value: bigint }[]): void {
    for (let from = 0; from < entries.length; ) {
      const rest = entries.slice(from);
      from += ioctl(`KVM_SET_MSRS on vCPU ${this.index}`, this.fd, KVM.SET_MSRS, msrList(rest));
      // KVM stops at one that it refuses.
      const refused = entries[from];
      if (refused && this.msrs([refused.index])[0] !== refused.value) {
        const { index, value } = refused;
        throw new RangeError(`KVM refuses 0x${value.toString(16)} for MSR 0x${index.toString(16)}`);
      }
      from++;
    }
  }

  /** A capability of this vCPU alone. */
  enableCapability(cap: number): void {
    const buffer = Buffer.alloc(SIZE.kvm_enable_cap);
    buffer.writeUInt32LE(cap, OFFSET.kvm_enable_cap.cap);
    ioctl(`KVM_ENABLE_CAP ${cap} on vCPU ${this.index}`, this.fd, KVM.ENABLE_CAP, buffer);
  }

  setCpuid(entries: readonly CpuidEntry[]): void {
    const at = OFFSET.kvm_cpuid_entry2;
    const buffer = Buffer.alloc(SIZE.kvm_cpuid2 + entries.length * SIZE.kvm_cpuid_entry2);
    buffer.writeUInt32LE(entries.length, OFFSET.kvm_cpuid2.nent);
    for (const [position, entry] of entries.entries()) {
      const base = SIZE.kvm_cpuid2 + position * SIZE.kvm_cpuid_entry2;
      for (const [field, value] of Object.entries(entry)) {
        buffer.writeUInt32LE(value >>> 0, base + at[field as keyof CpuidEntry]);
      }
    }
    ioctl(`KVM_SET_CPUID2 on vCPU ${this.index}`, this.fd, KVM.SET_CPUID2, buffer);
  }

  /** What the guest's page tables make of a linear address; undefined where they map nothing. */
  translate(address: bigint): bigint | undefined {
    const at = OFFSET.kvm_translation;
    const buffer = Buffer.alloc(SIZE.kvm_translation);
    buffer.writeBigUInt64LE(address, at.linear_address);
    ioctl(`KVM_TRANSLATE on vCPU ${this.index}`, this.fd, KVM.TRANSLATE, buffer);
    return buffer[at.valid] === 0 ? undefined : buffer.readBigUInt64LE(at.physical_address);
  }

  /** struct kvm_lapic_state: the register page of the local APIC. */
  lapic(): Uint8Array {
    const buffer = Buffer.alloc(SIZE.kvm_lapic_state);
    ioctl(`KVM_GET_LAPIC on vCPU ${this.index}`, this.fd, KVM.GET_LAPIC, buffer);
    return buffer;
  }

  setLapic(page: Uint8Array): void {
    ioctl(`KVM_SET_LAPIC on vCPU ${this.index}`, this.fd, KVM.SET_LAPIC, page);
  }

  /** Queues a non-maskable interrupt. */
  nmi(): void {
    ioctlValue('KVM_NMI', this.fd, KVM.NMI, 0);
  }

  /** KVM_MP_STATE_... */
  get mpState(): number {
    const buffer = Buffer.alloc(SIZE.kvm_mp_state);
    ioctl(`KVM_GET_MP_STATE on vCPU ${this.index}`, this.fd, KVM.GET_MP_STATE, buffer);
    return buffer.readUInt32LE(0);
  }

  set mpState(state: number) {
    const buffer = Buffer.alloc(SIZE.kvm_mp_state);
    buffer.writeUInt32LE(state);
    ioctl(`KVM_SET_MP_STATE on vCPU ${this.index}`, this.fd, KVM.SET_MP_STATE, buffer);
  }

  setGuestDebug({ control, addresses, dr7 }: GuestDebug): void {
    const buffer = Buffer.alloc(SIZE.kvm_guest_debug);
    const registers = OFFSET.kvm_guest_debug['arch.debugreg'];
    buffer.writeUInt32LE(control, OFFSET.kvm_guest_debug.control);
    for (const [position, address] of addresses.entries()) buffer.writeBigUInt64LE(address, registers + 8 * position);
    buffer.writeBigUInt64LE(dr7, registers + 8 * 7);
    ioctl(`KVM_SET_GUEST_DEBUG on vCPU ${this.index}`, this.fd, KVM.SET_GUEST_DEBUG, buffer);
  }

  /** Tells the guest's pvclock that it was paused, so that its watchdogs keep calm; without effect on other guests. */
  noteClockPaused(): void {
    ioctlRaw(this.fd, KVM.KVMCLOCK_CTRL, 0);
  }

  close(): void {
    close(this.fd);
  }
}

/** Enters the guest; 0 at an exit, minus errno when a signal or an error ended it. */
export const runVcpu = (vcpuFd: number): number => ioctlRaw(vcpuFd, KVM.RUN, 0);

const msrAt = (position: number, field: 'index' | 'data') =>
  SIZE.kvm_msrs + position * SIZE.kvm_msr_entry + OFFSET.kvm_msr_entry[field];

function msrList(entries: readonly { readonly index: number; readonly value: bigint }[]): Buffer {
  const buffer = Buffer.alloc(SIZE.kvm_msrs + entries.length * SIZE.kvm_msr_entry);
  buffer.writeUInt32LE(entries.length, OFFSET.kvm_msrs.nmsrs);
  for (const [position, { index, value }] of entries.entries()) {
    buffer.writeUInt32LE(index, msrAt(position, 'index'));
    buffer.writeBigUInt64LE(value, msrAt(position, 'data'));
  }
  return buffer;
}
