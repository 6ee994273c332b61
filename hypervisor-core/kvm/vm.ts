/** One virtual machine: memory slots, the chips in the kernel, interrupt lines, MSR filter. */
import { KVM, OFFSET, SIZE } from './abi.ts';
import type { Kvm } from './kvm.ts';
import { addressOf, close, ioctl, ioctlTry, ioctlValue } from './libc.ts';

export interface MemorySlot {
  readonly slot: number;
  readonly gpa: number;
  /** Bytes, a multiple of the page size; 0 takes the slot away. */
  readonly size: number;
  /** Address in this process that backs the slot. */
  readonly hva: number;
  /** Writes by the guest leave KVM_RUN as MMIO. */
  readonly readOnly: boolean;
  /** KVM keeps note of the pages that the guest writes: {@link KvmVm.takeDirtyLog}. */
  readonly logDirty?: boolean;
}

/** Three pages that KVM on Intel needs for itself, and one more for the identity map: below the largest firmware, where QEMU has them. */
const TSS_ADDRESS = 0xfeffd000;
const IDENTITY_MAP_ADDRESS = 0xfeffc000;

export class KvmVm {
  readonly fd: number;

  constructor(kvm: Kvm) {
    this.fd = ioctlValue('KVM_CREATE_VM', kvm.fd, KVM.CREATE_VM, 0);
    const identity = Buffer.alloc(8);
    identity.writeBigUInt64LE(BigInt(IDENTITY_MAP_ADDRESS));
    ioctl('KVM_SET_IDENTITY_MAP_ADDR', this.fd, KVM.SET_IDENTITY_MAP_ADDR, identity);
    ioctlValue('KVM_SET_TSS_ADDR', this.fd, KVM.SET_TSS_ADDR, TSS_ADDRESS);
  }

  /** PIC, I/O APIC and a local APIC per vCPU, and the PIT, all in the kernel. Before the first vCPU. */
  createChips(): void {
    ioctlValue('KVM_CREATE_IRQCHIP', this.fd, KVM.CREATE_IRQCHIP, 0);
    const config = Buffer.alloc(SIZE.kvm_pit_config);
    config.writeUInt32LE(KVM.PIT_SPEAKER_DUMMY, OFFSET.kvm_pit_config.flags);
    ioctl('KVM_CREATE_PIT2', this.fd, KVM.CREATE_PIT2, config);
  }

  setMemorySlot({ slot, gpa, size, hva, readOnly, logDirty = false }: MemorySlot): void {
    const at = OFFSET.kvm_userspace_memory_region;
    const region = Buffer.alloc(SIZE.kvm_userspace_memory_region);
    region.writeUInt32LE(slot, at.slot);
    region.writeUInt32LE((readOnly ? KVM.MEM_READONLY : 0) | (logDirty ? KVM.MEM_LOG_DIRTY_PAGES : 0), at.flags);
    region.writeBigUInt64LE(BigInt(gpa), at.guest_phys_addr);
    region.writeBigUInt64LE(BigInt(size), at.memory_size);
    region.writeBigUInt64LE(BigInt(hva), at.userspace_addr);
    ioctl(
      `KVM_SET_USER_MEMORY_REGION ${slot} at 0x${gpa.toString(16)} of 0x${size.toString(16)} bytes`,
      this.fd,
      KVM.SET_USER_MEMORY_REGION,
      region,
    );
  }

  /**
   * One bit a page of a slot of `size` bytes, set where the guest has written since the last call; the log starts anew.
   * What this process writes into guest RAM is not in it.
   */
  takeDirtyLog(slot: number, size: number): Uint32Array {
    // Shared, because the garbage collector may move other buffers while KVM has the address.
    const bitmap = new Uint32Array(new SharedArrayBuffer(Math.ceil(size / 4096 / 64) * 8));
    const log = Buffer.alloc(SIZE.kvm_dirty_log);
    log.writeUInt32LE(slot, OFFSET.kvm_dirty_log.slot);
    const address = addressOf(new Uint8Array(bitmap.buffer));
    log.writeBigUInt64LE(BigInt(address), OFFSET.kvm_dirty_log.dirty_bitmap);
    ioctl(`KVM_GET_DIRTY_LOG of slot ${slot}`, this.fd, KVM.GET_DIRTY_LOG, log);
    return bitmap;
  }

  enableCapability(cap: number, argument: number): void {
    const buffer = Buffer.alloc(SIZE.kvm_enable_cap);
    buffer.writeUInt32LE(cap, OFFSET.kvm_enable_cap.cap);
    buffer.writeBigUInt64LE(BigInt(argument), OFFSET.kvm_enable_cap.args);
    ioctl(`KVM_ENABLE_CAP ${cap}`, this.fd, KVM.ENABLE_CAP, buffer);
  }

  /** Sends guest reads and writes of MSRs in these ranges to user space (KVM_EXIT_X86_RDMSR and _WRMSR). */
  filterMsrs(ranges: readonly { readonly first: number; readonly count: number }[]): void {
    this.enableCapability(KVM.CAP_X86_USER_SPACE_MSR, KVM.MSR_EXIT_REASON_FILTER);
    const at = OFFSET.kvm_msr_filter_range;
    const filter = Buffer.alloc(SIZE.kvm_msr_filter);
    // All bits clear: every MSR of the range is denied. Shared buffers, because the garbage collector may move others.
    const denied = ranges.map(({ count }) => new Uint8Array(new SharedArrayBuffer(Math.ceil(count / 64) * 8)));
    for (const [position, { first, count }] of ranges.entries()) {
      const range = filter.subarray(OFFSET.kvm_msr_filter.ranges + position * SIZE.kvm_msr_filter_range);
      range.writeUInt32LE(KVM.MSR_FILTER_READ | KVM.MSR_FILTER_WRITE, at.flags);
      range.writeUInt32LE(count, at.nmsrs);
      range.writeUInt32LE(first, at.base);
      range.writeBigUInt64LE(BigInt(addressOf(denied[position] ?? new Uint8Array(8))), at.bitmap);
    }
    ioctl('KVM_X86_SET_MSR_FILTER', this.fd, KVM.X86_SET_MSR_FILTER, filter);
  }

  /** struct kvm_irqchip of the PIC master (0), the slave (1) or the I/O APIC (2). */
  irqchip(chip: number): Uint8Array {
    return getIrqchip(this.fd, chip);
  }

  /** Takes what {@link irqchip} gave; the structure says which chip it is. */
  setIrqchip(state: Uint8Array): void {
    ioctl('KVM_SET_IRQCHIP', this.fd, KVM.SET_IRQCHIP, state);
  }

  /** struct kvm_pit_state2. */
  pit(): Uint8Array {
    const buffer = Buffer.alloc(SIZE.kvm_pit_state2);
    ioctl('KVM_GET_PIT2', this.fd, KVM.GET_PIT2, buffer);
    return buffer;
  }

  setPit(state: Uint8Array): void {
    ioctl('KVM_SET_PIT2', this.fd, KVM.SET_PIT2, state);
  }

  /** Nanoseconds that guests with kvmclock see. */
  get clock(): bigint {
    const data = Buffer.alloc(SIZE.kvm_clock_data);
    ioctl('KVM_GET_CLOCK', this.fd, KVM.GET_CLOCK, data);
    return data.readBigUInt64LE(OFFSET.kvm_clock_data.clock);
  }

  set clock(nanoseconds: bigint) {
    const data = Buffer.alloc(SIZE.kvm_clock_data);
    data.writeBigUInt64LE(nanoseconds, OFFSET.kvm_clock_data.clock);
    ioctl('KVM_SET_CLOCK', this.fd, KVM.SET_CLOCK, data);
  }

  close(): void {
    close(this.fd);
  }
}

/** {@link KvmVm.irqchip} by the VM's descriptor, on any thread. */
export function getIrqchip(vmFd: number, chip: number): Uint8Array {
  const buffer = Buffer.alloc(SIZE.kvm_irqchip);
  buffer.writeUInt32LE(chip, OFFSET.kvm_irqchip.chip_id);
  ioctl(`KVM_GET_IRQCHIP ${chip}`, vmFd, KVM.GET_IRQCHIP, buffer);
  return buffer;
}

/** Asked for its status, KVM drops an edge of this line, the clock's, for good while the one before has had no end of interrupt. */
const RTC_LINE = 8;

/**
 * Sets the level of an input of the chips in the kernel; any thread may, by the VM's descriptor. Of a line that was raised,
 * gives what became of it, where that can be asked: above 0 a chip has requested the interrupt, 0 when it was requested
 * already, below 0 when all chips have the line masked (or, level-triggered, wait for its end of interrupt).
 */
export function setIrqLine(vmFd: number, line: number, level: boolean): number | undefined {
  const buffer = Buffer.alloc(SIZE.kvm_irq_level);
  buffer.writeUInt32LE(line, OFFSET.kvm_irq_level.irq);
  buffer.writeUInt32LE(level ? 1 : 0, OFFSET.kvm_irq_level.level);
  const asks = line !== RTC_LINE;
  ioctl(`KVM_IRQ_LINE ${line}`, vmFd, asks ? KVM.IRQ_LINE_STATUS : KVM.IRQ_LINE, buffer);
  return asks ? buffer.readInt32LE(OFFSET.kvm_irq_level.irq) : undefined;
}

/** Address of the message whose interrupt goes to one local APIC (Intel SDM vol. 3A 10.11: bits 19:12). */
export const messageAddress = (apicId: number): bigint => 0xfee0_0000n | (BigInt(apicId) << 12n);

/**
 * Delivers a message-signalled interrupt. Gives how many local APICs took it: none when it is 0 or less, and then it is
 * lost. Any thread may, as above.
 */
export function signalMsi(vmFd: number, address: bigint, data: number): number {
  const at = OFFSET.kvm_msi;
  const buffer = Buffer.alloc(SIZE.kvm_msi);
  buffer.writeUInt32LE(Number(address & 0xffff_ffffn), at.address_lo);
  buffer.writeUInt32LE(Number(address >> 32n), at.address_hi);
  buffer.writeUInt32LE(data, at.data);
  return ioctlTry(vmFd, KVM.SIGNAL_MSI, buffer);
}
