/** The breakpoints of one client. The protocol wants inserting and removing to be idempotent; the machine counts. */
import { BreakpointError, type BreakpointKind, type Machine } from '../machine/api.ts';
import { ErrorCode, PacketError } from './packet.ts';

interface Entry {
  readonly kind: BreakpointKind;
  readonly address: bigint;
  readonly length: number;
}

const keyOf = ({ kind, address, length }: Entry) => `${kind},${address},${length}`;

export class BreakpointSet {
  readonly #machine: Machine;
  readonly #entries = new Map<string, Entry>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Throws a {@link PacketError} with the machine's reason when it cannot be had. */
  insert(kind: BreakpointKind, address: bigint, length: number): void {
    const entry = { kind, address, length };
    const key = keyOf(entry);
    if (this.#entries.has(key)) return;
    try {
      this.#machine.insertBreakpoint(kind, address, length);
    } catch (error) {
      if (error instanceof BreakpointError) throw new PacketError(ErrorCode.refused, error.message);
      throw error;
    }
    this.#entries.set(key, entry);
  }

  remove(kind: BreakpointKind, address: bigint, length: number): void {
    const key = keyOf({ kind, address, length });
    if (this.#entries.delete(key)) this.#machine.removeBreakpoint(kind, address, length);
  }

  clear(): void {
    for (const { kind, address, length } of [...this.#entries.values()]) this.remove(kind, address, length);
  }
}
