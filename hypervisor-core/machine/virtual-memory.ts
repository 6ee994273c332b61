/** Guest-virtual reads and writes through the page tables of one vCPU. */
import type { MachineVcpu } from './machine-vcpu.ts';
import { PAGE } from './memory-slots.ts';
import type { PlantedTraps } from './planted-traps.ts';

const PAGE_MASK = BigInt(PAGE - 1);
const ADDRESS_MASK = (1n << 64n) - 1n;

export class VirtualMemory {
  readonly #traps: PlantedTraps;

  constructor(traps: PlantedTraps) {
    this.#traps = traps;
  }

  /** Bytes from `gva`, up to the first one that is not mapped to RAM. */
  read(vcpu: MachineVcpu, gva: bigint, length: number): Uint8Array {
    const parts: Uint8Array[] = [];
    this.#walk(vcpu, gva, length, (gpa, size) => {
      const bytes = this.#traps.read(gpa, size);
      parts.push(bytes);
      return bytes.length;
    });
    return parts.length === 1 && parts[0] ? parts[0] : Uint8Array.from(Buffer.concat(parts));
  }

  /** Number of bytes written, up to the first one that is not mapped to RAM. Page protection does not count. */
  write(vcpu: MachineVcpu, gva: bigint, data: Uint8Array): number {
    let done = 0;
    this.#walk(vcpu, gva, data.length, (gpa, size) => {
      const written = this.#traps.write(gpa, data.subarray(done, done + size));
      done += written;
      return written;
    });
    return done;
  }

  /** Goes through the range page by page until `visit` handles less than it was given. */
  #walk(vcpu: MachineVcpu, gva: bigint, length: number, visit: (gpa: number, size: number) => number): void {
    for (let at = gva & ADDRESS_MASK, left = length; left > 0; ) {
      const size = Math.min(left, PAGE - Number(at & PAGE_MASK));
      const gpa = vcpu.translate(at);
      if (gpa === undefined || visit(Number(gpa), size) < size) return;
      at = (at + BigInt(size)) & ADDRESS_MASK;
      left -= size;
    }
  }
}
