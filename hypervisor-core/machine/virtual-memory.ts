/** Guest-virtual reads and writes through the page tables of one vCPU, and through its kernel's while it runs user code. */
import { kernelTables } from '../paging/isolated-tables.ts';
import { inUpperHalf, type PagingState } from '../paging/paging-mode.ts';
import { withReads } from '../paging/reads.ts';
import { translate, walk } from '../paging/walk.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import { PAGE } from './memory-slots.ts';
import { walkPages } from './page-runs.ts';
import type { PlantedTraps } from './planted-traps.ts';

export class VirtualMemory {
  readonly #traps: PlantedTraps;
  readonly #readPhysical = (gpa: bigint, length: number) => this.#traps.read(Number(gpa), length);

  constructor(traps: PlantedTraps) {
    this.#traps = traps;
  }

  /** Bytes from `gva`, up to the first one that is not mapped to RAM. */
  read(vcpu: MachineVcpu, gva: bigint, length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    walkPages(this.#translation(vcpu, gva, length), gva, length, (gpa, size) => {
      const bytes = this.#traps.read(gpa, size);
      parts.push(bytes);
      return bytes.length;
    });
    return parts.length === 1 && parts[0] ? parts[0] : new Uint8Array(Buffer.concat(parts));
  }

  /** Number of bytes written, up to the first one that is not mapped to RAM. Page protection does not count. */
  write(vcpu: MachineVcpu, gva: bigint, data: Uint8Array): number {
    let done = 0;
    walkPages(this.#translation(vcpu, gva, data.length), gva, data.length, (gpa, size) => {
      const written = this.#traps.write(gpa, data.subarray(done, done + size));
      done += written;
      return written;
    });
    return done;
  }

  /** Guest-physical address of what is at `gva`; undefined where it is not mapped. */
  locate(vcpu: MachineVcpu, gva: bigint): bigint | undefined {
    return this.#translation(vcpu, gva, 1)(gva);
  }

  /** KVM tells no page sizes and takes some 10 µs a question: of large pages, a walk of our own tells all at once. */
  #translation(vcpu: MachineVcpu, gva: bigint, length: number): (at: bigint) => bigint | undefined {
    let page = length > PAGE ? this.#largePage(vcpu, gva) : undefined;
    let kernel: PagingState | undefined;
    return (at) => {
      if (page && (at < page.start || at >= page.end)) page = this.#largePage(vcpu, at);
      if (page) return page.gpa + (at - page.start);
      const own = vcpu.translate(at);
      if (own !== undefined || !inUpperHalf(at)) return own;
      kernel ??= this.#kernelTables(vcpu);
      return kernel && withReads(translate(kernel, at), this.#readPhysical);
    };
  }

  #kernelTables({ registers }: MachineVcpu): PagingState | undefined {
    return withReads(kernelTables(registers.paging), this.#readPhysical);
  }

  #largePage({ registers }: MachineVcpu, gva: bigint): { start: bigint; end: bigint; gpa: bigint } | undefined {
    const { result } = withReads(walk(registers.paging, gva), this.#readPhysical);
    if (result.kind === 'fault' || result.size <= PAGE) return undefined;
    const start = gva & -result.size;
    return { start, end: start + result.size, gpa: result.physical & -result.size };
  }
}
