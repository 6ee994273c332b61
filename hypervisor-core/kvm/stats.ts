/** KVM_GET_STATS_FD (Documentation/virt/kvm/api.rst, 4.133): what KVM counts of one vCPU, readable while it runs. */
import { closeSync, readSync } from 'node:fs';
import { KVM } from './abi.ts';
import { ioctlRaw } from './libc.ts';

/** struct kvm_stats_header and kvm_stats_desc, linux/kvm.h. */
const HEADER = { nameSize: 4, count: 8, descriptors: 16, data: 20, bytes: 24 } as const;
const DESCRIPTOR = { size: 6, offset: 8, name: 16 } as const;
/** What no kernel comes near, so that a wrong header allocates nothing large. */
const MOST = { descriptors: 1024, nameSize: 256 } as const;

interface Statistic {
  readonly name: string;
  /** In the file. */
  readonly offset: number;
}

export class KvmStats {
  readonly #fd: number;
  readonly #statistics: readonly Statistic[];

  private constructor(fd: number) {
    this.#fd = fd;
    this.#statistics = statistics(fd);
  }

  /** Undefined where this KVM has none (before Linux 5.14). */
  static open(vcpuFd: number): KvmStats | undefined {
    const fd = ioctlRaw(vcpuFd, KVM.GET_STATS_FD, 0);
    return fd < 0 ? undefined : new KvmStats(fd);
  }

  /** Values by KVM's names; of histograms nothing. */
  read(): ReadonlyMap<string, number> {
    const value = Buffer.alloc(8);
    return new Map(
      this.#statistics.map(({ name, offset }) => {
        readSync(this.#fd, value, 0, 8, offset);
        return [name, Number(value.readBigUInt64LE())];
      }),
    );
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function statistics(fd: number): Statistic[] {
  const header = Buffer.alloc(HEADER.bytes);
  readSync(fd, header, 0, header.length, 0);
  const count = Math.min(MOST.descriptors, header.readUInt32LE(HEADER.count));
  const bytes = DESCRIPTOR.name + Math.min(MOST.nameSize, header.readUInt32LE(HEADER.nameSize));
  const data = header.readUInt32LE(HEADER.data);
  const all = Buffer.alloc(count * bytes);
  readSync(fd, all, 0, all.length, header.readUInt32LE(HEADER.descriptors));
  return Array.from({ length: count }, (_, index) => all.subarray(index * bytes, (index + 1) * bytes))
    .filter((one) => one.readUInt16LE(DESCRIPTOR.size) === 1)
    .map((one) => ({
      name: one.toString('latin1', DESCRIPTOR.name).replace(/\0.*$/s, ''),
      offset: data + one.readUInt32LE(DESCRIPTOR.offset),
    }));
}
