/** Guest-virtual reads and writes through the page tables of one vCPU. */
import { withReads } from '../paging/reads.ts';
import { walk } from '../paging/walk.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import { PAGE } from './memory-slots.ts';
import { walkPages } from './page-runs.ts';
import type { PlantedTraps } from './planted-traps.ts';

export class VirtualMemory {
  readonly #traps: PlantedTraps;

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

  /** KVM tells no page sizes and takes some 10 µs a question: of large pages, a walk of our own tells all at once. */
  #translation(vcpu: MachineVcpu, gva: bigint, length: number): (at: bigint) => bigint | undefined {
    let page = length > PAGE ? this.#largePage(vcpu, gva) : undefined;
    return (at) => {
      if (page && (at < page.start || at >= page.end)) page = this.#largePage(vcpu, at);
      return page ? page.gpa + (at - page.start) : vcpu.translate(at);
    };
  }

  #largePage({ registers }: MachineVcpu, gva: bigint): { start: bigint; end: bigint; gpa: bigint } | undefined {
    const { result } = withReads(walk(registers.paging, gva), (gpa, length) => this.#traps.read(Number(gpa), length));
    if (result.kind === 'fault' || result.size <= PAGE) return undefined;
    const start = gva & -result.size;
    return { start, end: start + result.size, gpa: result.physical & -result.size };
  }
}
