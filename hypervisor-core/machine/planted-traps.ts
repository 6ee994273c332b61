/**
 * Trap bytes in guest RAM, and the bytes that they hide. Whoever reads RAM for a person sees the hidden bytes, and
 * writes to a trap's place change what it hides.
 */
import type { RamFile } from './guest-ram.ts';

export class PlantedTraps {
  readonly #ram: RamFile;
  readonly #traps = new Map<number, { readonly trap: number; hidden: number }>();

  constructor(ram: RamFile) {
    this.#ram = ram;
  }

  /** Makes the traps in guest-physical memory exactly these: address to trap byte. */
  set(wanted: ReadonlyMap<number, number>): void {
    for (const [gpa, { trap, hidden }] of this.#traps) {
      if (wanted.get(gpa) === trap) continue;
      if (this.#byte(gpa) === trap) this.#ram.write(gpa, Uint8Array.of(hidden));
      this.#traps.delete(gpa);
    }
    for (const [gpa, trap] of wanted) {
      const now = this.#byte(gpa);
      const known = this.#traps.get(gpa);
      // A guest that has written over the trap, a loader for one, has put there what is to be hidden from now on.
      if (known && now === known.trap) continue;
      this.#traps.set(gpa, { trap, hidden: now });
      this.#ram.write(gpa, Uint8Array.of(trap));
    }
  }

  has(gpa: number): boolean {
    return this.#traps.has(gpa);
  }

  /** Reads RAM as if there were no traps. */
  read(gpa: number, length: number): Uint8Array {
    const bytes = this.#ram.read(gpa, length);
    for (const [at, { trap, hidden }] of this.#inside(gpa, bytes.length)) {
      if (bytes[at - gpa] === trap) bytes[at - gpa] = hidden;
    }
    return bytes;
  }

  /** Writes RAM around the traps; gives the number of bytes written. */
  write(gpa: number, data: Uint8Array): number {
    const around = Uint8Array.from(data);
    for (const [at, entry] of this.#inside(gpa, data.length)) {
      entry.hidden = data[at - gpa] ?? 0;
      around[at - gpa] = entry.trap;
    }
    return this.#ram.write(gpa, around);
  }

  #inside(gpa: number, length: number) {
    return [...this.#traps].filter(([at]) => at >= gpa && at < gpa + length);
  }

  #byte(gpa: number): number {
    return this.#ram.read(gpa, 1)[0] ?? 0;
  }
}
