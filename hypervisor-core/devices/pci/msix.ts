/**
 * MSI-X (PCI Local Bus 3.0, 6.8.2): a table of messages, one a vector, and an array of those that wait because they are
 * masked. A message is a write of 32 bits to the local APICs' window, which KVM delivers.
 */
import { hex } from '../../protocol/hex.ts';
import type { DeviceRegister } from '../../protocol/inspect.ts';
import type { PciCapability } from './pci-function.ts';

const CAPABILITY_ID = 0x11;
/** Bits of Message Control. */
const ENABLE = 1 << 15;
const FUNCTION_MASK = 1 << 14;

const ENTRY_BYTES = 16;
const ENTRY = { address: 0, data: 8, control: 12 };
const MASKED = 1;

/** Bytes of state for `vectors` vectors: the table, then 64 pending bits. */
export const msixBytes = (vectors: number): number => vectors * ENTRY_BYTES + 8;

/** Where the table and the pending bits are in a BAR, from its start. */
export interface MsixPlace {
  readonly bar: number;
  readonly table: number;
  readonly pending: number;
}

export function msixCapability(vectors: number, { bar, table, pending }: MsixPlace): PciCapability {
  const body = new DataView(new ArrayBuffer(10));
  const writable = new DataView(new ArrayBuffer(2));
  body.setUint16(0, vectors - 1, true);
  body.setUint32(2, table | bar, true);
  body.setUint32(6, pending | bar, true);
  writable.setUint16(0, ENABLE | FUNCTION_MASK, true);
  return { id: CAPABILITY_ID, body: new Uint8Array(body.buffer), writable: new Uint8Array(writable.buffer) };
}

type Send = (address: bigint, data: number) => void;

export class Msix {
  /** `control` reads Message Control from configuration space; `state` has {@link msixBytes} of `vectors`, at most 64. */
  constructor(
    private readonly state: DataView,
    private readonly vectors: number,
    private readonly control: () => number,
    private readonly send: Send,
  ) {}

  /** All vectors are masked after a reset. */
  static reset(state: DataView, vectors: number): void {
    for (let vector = 0; vector < vectors; vector++) {
      state.setUint32(vector * ENTRY_BYTES + ENTRY.control, MASKED, true);
    }
  }

  get enabled(): boolean {
    return (this.control() & ENABLE) !== 0;
  }

  has(vector: number): boolean {
    return vector < this.vectors;
  }

  /** Sends the message of a vector, or keeps it until it is no longer masked. */
  raise(vector: number): void {
    if (!this.has(vector)) return;
    if (this.#masked(vector)) {
      this.#setPending(vector, true);
      return;
    }
    const at = vector * ENTRY_BYTES;
    this.send(this.state.getBigUint64(at + ENTRY.address, true), this.state.getUint32(at + ENTRY.data, true));
  }

  /** To be called when a mask may have been taken away. */
  sendPending(): void {
    if (!this.enabled) return;
    for (let vector = 0; vector < this.vectors; vector++) {
      if (!this.#isPending(vector) || this.#masked(vector)) continue;
      this.#setPending(vector, false);
      this.raise(vector);
    }
  }

  /** A double word of the table. */
  readTable(offset: number): number {
    return offset % 4 === 0 && offset + 4 <= this.vectors * ENTRY_BYTES ? this.state.getUint32(offset, true) : 0;
  }

  writeTable(offset: number, value: number): void {
    if (offset % 4 !== 0 || offset + 4 > this.vectors * ENTRY_BYTES) return;
    this.state.setUint32(offset, offset % ENTRY_BYTES === ENTRY.control ? value & MASKED : value, true);
    this.sendPending();
  }

  /** A double word of the pending bits. */
  readPending(offset: number): number {
    return offset === 0 || offset === 4 ? this.state.getUint32(this.#pendingAt + offset, true) : 0;
  }

  describe(): DeviceRegister[] {
    if (!this.enabled) return [];
    return Array.from({ length: this.vectors }, (_, vector) => {
      const at = vector * ENTRY_BYTES;
      const marks = [this.#masked(vector) && 'masked', this.#isPending(vector) && 'pending'].filter(Boolean);
      return {
        name: `MSI-X ${vector}`,
        value: hex(this.state.getUint32(at + ENTRY.data, true)),
        text: [`to ${hex(this.state.getBigUint64(at + ENTRY.address, true))}`, ...marks].join(', '),
      };
    });
  }

  get #pendingAt(): number {
    return this.vectors * ENTRY_BYTES;
  }

  #masked(vector: number): boolean {
    const entry = this.state.getUint32(vector * ENTRY_BYTES + ENTRY.control, true);
    return (this.control() & FUNCTION_MASK) !== 0 || (entry & MASKED) !== 0;
  }

  #isPending(vector: number): boolean {
    return (this.state.getUint8(this.#pendingAt + (vector >> 3)) & (1 << (vector & 7))) !== 0;
  }

  #setPending(vector: number, on: boolean): void {
    const at = this.#pendingAt + (vector >> 3);
    const bit = 1 << (vector & 7);
    this.state.setUint8(at, on ? this.state.getUint8(at) | bit : this.state.getUint8(at) & ~bit);
  }
}
