/**
 * MSI-X (PCI Local Bus 3.0, 6.8.2): a table of messages, one a vector, and an array of those that wait because they are
 * masked. A message is a write of 32 bits to the local APICs' window, which KVM delivers.
 */
import { hex } from '../../protocol/hex.ts';
import type { DeviceRegister, MsixVector } from '../../protocol/inspect.ts';
import type { DeviceHost } from '../device.ts';
import type { PciCapability } from './pci-function.ts';

const CAPABILITY_ID = 0x11;
/** Bits of Message Control. */
const ENABLE = 1 << 15;
const FUNCTION_MASK = 1 << 14;

const ENTRY_BYTES = 16;
const ENTRY = { address: 0, data: 8, control: 12 };
const MASKED = 1;

/** What was last sent by a vector: not the guest's to see. */
const SENT = { time: 0, address: 8, data: 16, count: 20, taken: 24 };
const SENT_BYTES = 32;
const PENDING_BYTES = 8;

/** Bytes of state for `vectors` vectors: the table, then 64 pending bits, then what was sent. */
export const msixBytes = (vectors: number): number => vectors * (ENTRY_BYTES + SENT_BYTES) + PENDING_BYTES;

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

type MsixHost = Pick<DeviceHost, 'signalMsi' | 'now'>;

export class Msix {
  /** `control` reads Message Control from configuration space; `state` has {@link msixBytes} of `vectors`, at most 64. */
  constructor(
    private readonly state: DataView,
    private readonly vectors: number,
    private readonly control: () => number,
    private readonly host: MsixHost,
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
    const { address, data } = this.#entry(vector);
    this.#note(vector, address, data, this.host.signalMsi(address, data));
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
      const { address, data } = this.#entry(vector);
      const marks = [this.#masked(vector) && 'masked', this.#isPending(vector) && 'pending'].filter(Boolean);
      return { name: `MSI-X ${vector}`, value: hex(data), text: [`to ${hex(address)}`, ...marks].join(', ') };
    });
  }

  /** The table for the views, while MSI-X is on. */
  messages(): Omit<MsixVector, 'device'>[] {
    if (!this.enabled) return [];
    return Array.from({ length: this.vectors }, (_, index) => {
      const { address, data } = this.#entry(index);
      const at = this.#sentAt(index);
      const sent = this.state.getUint32(at + SENT.count, true);
      const last = {
        time: this.state.getFloat64(at + SENT.time, true),
        address: hex(this.state.getBigUint64(at + SENT.address, true)),
        data: this.state.getUint32(at + SENT.data, true),
        taken: this.state.getUint32(at + SENT.taken, true) !== 0,
      };
      return {
        ...{ index, address: hex(address), data, sent },
        ...{ masked: this.#masked(index), pending: this.#isPending(index) },
        ...(sent > 0 && { last }),
      };
    });
  }

  #entry(vector: number): { readonly address: bigint; readonly data: number } {
    const at = vector * ENTRY_BYTES;
    return {
      address: this.state.getBigUint64(at + ENTRY.address, true),
      data: this.state.getUint32(at + ENTRY.data, true),
    };
  }

  #sentAt(vector: number): number {
    return this.#pendingAt + PENDING_BYTES + vector * SENT_BYTES;
  }

  #note(vector: number, address: bigint, data: number, taken: boolean): void {
    const at = this.#sentAt(vector);
    this.state.setFloat64(at + SENT.time, this.host.now(), true);
    this.state.setBigUint64(at + SENT.address, address, true);
    this.state.setUint32(at + SENT.data, data, true);
    this.state.setUint32(at + SENT.count, this.state.getUint32(at + SENT.count, true) + 1, true);
    this.state.setUint32(at + SENT.taken, taken ? 1 : 0, true);
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
