/** What KVM holds of a machine, and the memory shared with the workers: made together and given back together. */
import type { BootImage } from '../boot/boot-image.ts';
import type { MsrRange } from '../hypercalls/abi.ts';
import { conventionOf } from '../hypercalls/hypercalls.ts';
import { KVM } from '../kvm/abi.ts';
import type { Kvm } from '../kvm/kvm.ts';
import { allocateRunPages, mapRunPage, unmapRunPage } from '../kvm/run-page.ts';
import { KvmStats } from '../kvm/stats.ts';
import { KvmVcpu } from '../kvm/vcpu.ts';
import { KvmVm } from '../kvm/vm.ts';
import type { CpuChanges } from '../protocol/cpu-features.ts';
import { framebufferBytes, type Resolution } from '../protocol/framebuffer.ts';
import type { MachineInfo } from '../protocol/inspect.ts';
import { VARIABLE_BYTES } from './agent-context.ts';
import { deviceMemoryBytes } from './attach-devices.ts';
import { guestCpuid } from './cpuid.ts';
import { EXIT_MEMORY_BYTES } from './exit-memory.ts';
import { GuestRam, wholeSize } from './guest-ram.ts';
import { hypercallMemoryBytes } from './hypercall-trace.ts';
import { loadInitialState } from './initial-state.ts';
import { MemorySlots } from './memory-slots.ts';
import { pageSetBytes } from './page-set.ts';
import { RENDEZVOUS_BYTES } from './rendezvous.ts';
import { mailboxOffset, runPageOffset, type WorkerSetup } from './shared.ts';
import { type DebugStrategy, debugStrategy } from './strategy.ts';
import { startChips } from './with-bios.ts';

interface HardwareWishes {
  /** Bytes of the firmware's ROM; 0 when there is none. */
  readonly romSize: number;
  readonly framebuffer?: Resolution | undefined;
  /** Sectors of the disk, where there is one. */
  readonly diskSectors?: number | undefined;
  /** Changes to what CPUID says. */
  readonly changes?: CpuChanges | undefined;
}

export class MachineHardware {
  readonly info: MachineInfo;
  readonly wishes: HardwareWishes;
  readonly strategy: DebugStrategy;
  /** Whether this KVM sends accesses to MSRs to user space. */
  readonly filtersMsrs: boolean;
  readonly ram: GuestRam;
  readonly vm: KvmVm;
  readonly slots: MemorySlots;
  readonly vcpus: readonly KvmVcpu[];
  /** What KVM counts of each vCPU, where it does. */
  readonly stats: readonly (KvmStats | undefined)[];
  readonly msrIndices: readonly number[];
  readonly #shared: Omit<WorkerSetup, 'index' | 'vcpuFd'>;
  /** How to give back what was made, last first. */
  readonly #undo: (() => void)[] = [];

  constructor(kvm: Kvm, info: MachineInfo, image: BootImage, wishes: HardwareWishes) {
    const { romSize, framebuffer, diskSectors, changes } = wishes;
    this.info = info;
    this.wishes = wishes;
    this.strategy = debugStrategy(info.host);
    try {
      const size = { ramSize: info.memory, romSize, framebufferSize: framebuffer ? framebufferBytes(framebuffer) : 0 };
      const ramWritten = new SharedArrayBuffer(pageSetBytes(wholeSize(size)));
      this.ram = this.#made(new GuestRam(size, ramWritten));
      this.vm = this.#made(new KvmVm(kvm));
      this.vm.createChips();
      if (info.bootProtocol === 'sector') startChips(this.vm);
      this.filtersMsrs = info.host.facts.some(({ id, answer }) => id === 'msr-filter' && answer === 'yes');
      if (this.#hypercallMsrs.length > 0) this.filterMsrs([]);
      this.slots = new MemorySlots(this.vm, this.ram.ranges, this.ram.address);
      this.#shared = {
        vmFd: this.vm.fd,
        ramFd: this.ram.fd,
        ...size,
        ramWritten,
        cpus: info.cpus,
        runBytes: kvm.runBytes,
        runPages: allocateRunPages(info.cpus),
        mailboxes: new SharedArrayBuffer(mailboxOffset(info.cpus)),
        rendezvous: new SharedArrayBuffer(RENDEZVOUS_BYTES),
        variables: new SharedArrayBuffer(VARIABLE_BYTES),
        devices: new SharedArrayBuffer(deviceMemoryBytes({ ramSize: info.memory, cpus: info.cpus, diskSectors })),
        hypercalls: new SharedArrayBuffer(hypercallMemoryBytes()),
        exits: new SharedArrayBuffer(info.cpus * EXIT_MEMORY_BYTES),
        personality: info.personality,
        bios: info.bootProtocol === 'sector',
        strategy: this.strategy,
        diskSectors,
      };
      this.msrIndices = kvm.msrIndices();
      const supported = kvm.supportedCpuid();
      this.vcpus = Array.from({ length: info.cpus }, (_, index) => {
        const vcpu = this.#made(KvmVcpu.create(this.vm, index));
        const { runPages, runBytes } = this.#shared;
        mapRunPage(runPages, runPageOffset(index), vcpu.fd, runBytes);
        this.#undo.push(() => unmapRunPage(runPages, runPageOffset(index), runBytes));
        if (info.personality === 'hyperv' && this.strategy.hypervMsrs) vcpu.enableCapability(KVM.CAP_HYPERV_SYNIC2);
        const policy = { ...this.strategy, personality: info.personality, changes };
        vcpu.setCpuid(guestCpuid(supported, policy, index, info.cpus));
        return vcpu;
      });
      this.stats = this.vcpus.map(({ fd }) => {
        const stats = KvmStats.open(fd);
        return stats && this.#made(stats);
      });
      for (const { gpa, bytes } of image.segments) this.ram.patch(Number(gpa), bytes);
      const [first] = this.vcpus;
      if (first) loadInitialState(first, image.cpu);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  setup(vcpu: KvmVcpu): WorkerSetup {
    return { ...this.#shared, index: vcpu.index, vcpuFd: vcpu.fd };
  }

  /** Which pages of RAM this process has written. */
  get ramWritten(): SharedArrayBuffer {
    return this.#shared.ramWritten;
  }

  /** Has the guest's accesses to these MSRs come to the workers, beside those that the hypercall ABI needs. */
  filterMsrs(indices: readonly number[]): void {
    this.vm.filterMsrs([...this.#hypercallMsrs, ...indices.map((first) => ({ first, count: 1 }))]);
  }

  get #hypercallMsrs(): readonly MsrRange[] {
    return conventionOf(this.info.personality)?.msrs(this.strategy) ?? [];
  }

  /** Gives everything back. No worker may be there any more. */
  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #made<Part extends { close(): void }>(part: Part): Part {
    this.#undo.push(() => part.close());
    return part;
  }
}
