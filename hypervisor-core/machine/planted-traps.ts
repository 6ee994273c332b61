/**
 * Trap bytes in guest RAM, and the bytes that they hide. Whoever reads RAM for a person sees the hidden bytes, and
 * writes to a trap's place change what it hides.
 */
import type { DebugPlan } from './debug-plan.ts';
import type { RamFile } from './guest-ram.ts';
import { PAGE } from './memory-slots.ts';

/** Bytes behind a trap by which it is known again. */
const CONTEXT = 8;

/** Puts what planted traps hide into bytes that were read from RAM at `gpa`. */
export function hideTraps(bytes: Uint8Array, gpa: number, { trap, traps }: Pick<DebugPlan, 'trap' | 'traps'>): void {
  for (const [at, hidden] of traps) {
    if (at >= gpa && at < gpa + bytes.length && bytes[at - gpa] === trap?.byte) bytes[at - gpa] = hidden;
  }
}

export class PlantedTraps {
  readonly #ram: RamFile;
  readonly #trap: DebugPlan['trap'];
  readonly #hidden = new Map<number, number>();
  /** What was behind each trap when it was planted, as far as its page goes. */
  readonly #behind = new Map<number, Uint8Array>();

  /** Without a trap byte that leaves the guest, none is ever planted. */
  constructor(ram: RamFile, trap: DebugPlan['trap']) {
    this.#ram = ram;
    this.#trap = trap;
  }

  /** Makes the traps stand at exactly these guest-physical addresses. */
  set(wanted: ReadonlySet<number>): void {
    const trap = this.#trap?.byte;
    if (trap === undefined) return;
    for (const [gpa, hidden] of this.#hidden) {
      if (wanted.has(gpa)) continue;
      if (this.#byte(gpa) === trap) this.#ram.patch(gpa, Uint8Array.of(hidden));
      this.#hidden.delete(gpa);
      this.#behind.delete(gpa);
    }
    for (const gpa of wanted) {
      const now = this.#byte(gpa);
      // A guest that has written over the trap, a loader for one, has put there what is to be hidden from now on.
      if (this.#hidden.has(gpa) && now === trap) continue;
      this.#hidden.set(gpa, now);
      this.#behind.set(gpa, this.#ram.read(gpa + 1, lengthBehind(gpa)));
      this.#ram.patch(gpa, Uint8Array.of(trap));
    }
  }

  /** Knows the trap at `from` again at `to`, if the guest has copied it there. */
  follow(from: number, to: number): void {
    const [hidden, behind] = [this.#hidden.get(from), this.#behind.get(from)];
    const trap = this.#trap?.byte;
    if (hidden === undefined || behind === undefined || this.#hidden.has(to) || this.#byte(to) !== trap) return;
    const now = this.#ram.read(to + 1, lengthBehind(to));
    // Another program may have the trap's byte for an instruction of its own there. Neighbouring traps are no difference.
    if (!behind.every((byte, at) => byte === now[at] || byte === trap || now[at] === trap)) return;
    this.#hidden.set(to, hidden);
    this.#behind.set(to, behind);
  }

  has(gpa: number): boolean {
    return this.#hidden.has(gpa);
  }

  /** The hidden byte of each trap. */
  get hidden(): ReadonlyMap<number, number> {
    return this.#hidden;
  }

  /** Reads RAM as if there were no traps. */
  read(gpa: number, length: number): Uint8Array {
    const bytes = this.#ram.read(gpa, length);
    hideTraps(bytes, gpa, { trap: this.#trap, traps: this.#hidden });
    return bytes;
  }

  /** Writes RAM or ROM around the traps; gives the number of bytes written. */
  write(gpa: number, data: Uint8Array): number {
    const trap = this.#trap?.byte;
    const written = this.#ram.patch(
      gpa,
      this.#around(gpa, data, (at) => this.#byte(at) === trap),
    );
    this.#lookBehind(gpa, written);
    return written;
  }

  /** Writes RAM as a device does, which may bring the code that traps are meant for: they stand in it afterwards. */
  receive(gpa: number, data: Uint8Array): number {
    if (this.#ram.place(gpa) === undefined) return 0;
    const written = this.#ram.write(
      gpa,
      this.#around(gpa, data, () => true),
    );
    this.#lookBehind(gpa, written);
    return written;
  }

  /** True when a trap is planted among the `length` bytes at `gpa`. */
  among(gpa: number, length: number): boolean {
    return [...this.#hidden.keys()].some((at) => at >= gpa && at < gpa + length);
  }

  /** `data` with traps in the places of those that `stand`; they hide what was there. */
  #around(gpa: number, data: Uint8Array, stands: (gpa: number) => boolean): Uint8Array {
    const trap = this.#trap?.byte;
    if (trap === undefined || !this.among(gpa, data.length)) return data;
    const around = Uint8Array.from(data);
    for (const at of this.#hidden.keys()) {
      if (at < gpa || at >= gpa + data.length) continue;
      this.#hidden.set(at, data[at - gpa] ?? 0);
      if (stands(at)) around[at - gpa] = trap;
    }
    return around;
  }

  /** Notes anew what is behind traps after a write of `length` bytes at `gpa`. */
  #lookBehind(gpa: number, length: number): void {
    for (const at of this.#hidden.keys()) {
      if (at + CONTEXT < gpa || at >= gpa + length) continue;
      this.#behind.set(at, this.#ram.read(at + 1, lengthBehind(at)));
    }
  }

  #byte(gpa: number): number {
    return this.#ram.read(gpa, 1)[0] ?? 0;
  }
}

const lengthBehind = (gpa: number) => Math.min(CONTEXT, PAGE - 1 - (gpa % PAGE));
