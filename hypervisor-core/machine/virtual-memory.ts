/** Guest-virtual reads and writes through the page tables of one vCPU. */
import type { MachineVcpu } from './machine-vcpu.ts';
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
    walkPages(
      (at) => vcpu.translate(at),
      gva,
      length,
      (gpa, size) => {
        const bytes = this.#traps.read(gpa, size);
        parts.push(bytes);
        return bytes.length;
      },
    );
    return parts.length === 1 && parts[0] ? parts[0] : new Uint8Array(Buffer.concat(parts));
  }

  /** Number of bytes written, up to the first one that is not mapped to RAM. Page protection does not count. */
  write(vcpu: MachineVcpu, gva: bigint, data: Uint8Array): number {
    let done = 0;
    walkPages(
      (at) => vcpu.translate(at),
      gva,
      data.length,
      (gpa, size) => {
        const written = this.#traps.write(gpa, data.subarray(done, done + size));
        done += written;
        return written;
      },
    );
    return done;
  }
}
