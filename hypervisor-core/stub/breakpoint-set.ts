/** The breakpoints of one client. The protocol wants inserting and removing to be idempotent; the machine counts. */
import { BreakpointError, type BreakpointKind, type Machine } from '../machine/api.ts';
import type { BreakpointOptions } from '../protocol/agent/breakpoint-options.ts';
import { ErrorCode, PacketError } from './packet.ts';

interface Place {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  readonly length: number;
}

interface Entry extends Place {
  readonly options: BreakpointOptions;
}

const keyOf = ({ kind, address, length }: Place) => `${kind},${address},${length}`;

export class BreakpointSet {
  readonly #machine: Machine;
  readonly #entries = new Map<string, Entry>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get size(): number {
    return this.#entries.size + this.#machine.stopsOf(this).length;
  }

  /**
   * Options replace those that the same breakpoint had, which is how a debugger changes its conditions. Throws a
   * {@link PacketError} with the machine's reason when it cannot be had; an older one stays then.
   */
  insert(kind: BreakpointKind, address: bigint, length: number, options: BreakpointOptions): void {
    const entry = { kind, address, length, options };
    try {
      this.#machine.insertBreakpoint(kind, address, length, options);
    } catch (error) {
      if (error instanceof BreakpointError) throw new PacketError(ErrorCode.refused, error.message);
      throw error;
    }
    this.remove(kind, address, length);
    this.#entries.set(keyOf(entry), entry);
  }

  remove(kind: BreakpointKind, address: bigint, length: number): void {
    const key = keyOf({ kind, address, length });
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#machine.removeBreakpoint(kind, address, length, entry.options);
  }

  /** Breakpoints, and what else the client asked to be stopped on. */
  clear(): void {
    if (this.#machine.stopsOf(this).length > 0) this.#machine.stopOn(this, []);
    for (const { kind, address, length } of [...this.#entries.values()]) this.remove(kind, address, length);
  }
}
