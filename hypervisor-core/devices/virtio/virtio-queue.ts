/**
 * The device's side of a split virtqueue (virtio 1.2, 2.7), without event indices. Chains are finished in the order in
 * which they were made available, so one count says how far the device has come, and nothing is lost when a machine is
 * saved between two of them. The rings are the guest's and may hold anything: whatever does not follow the rules ends
 * the queue with a {@link RingError}.
 */
import type { GuestMemory } from '../device.ts';

/** The driver broke the rules of the ring. */
export class RingError extends Error {}

export const MAX_QUEUE_SIZE = 256;
/** VIRTIO_F_INDIRECT_DESC: a descriptor may name a table of descriptors. */
export const INDIRECT_DESC = 1 << 28;

const DESCRIPTOR_BYTES = 16;
const NEXT = 1 << 0;
const WRITE = 1 << 1;
const INDIRECT = 1 << 2;
const NO_INTERRUPT = 1 << 0;

/** Where the driver has put a queue, and how far the device has come in it. */
export interface QueuePlace {
  readonly size: number;
  readonly descriptors: number;
  readonly driverArea: number;
  readonly deviceArea: number;
  /** Chains finished, modulo 2^16. */
  finished: number;
}

/** A run of guest memory. */
export interface Buffer {
  readonly gpa: number;
  readonly length: number;
}

export interface Chain {
  readonly head: number;
  /** What the device may read, and then what it may write. */
  readonly readable: readonly Buffer[];
  readonly writable: readonly Buffer[];
}

interface Table {
  readonly at: number;
  readonly size: number;
}

export class VirtioQueue {
  constructor(
    readonly memory: GuestMemory,
    private readonly place: QueuePlace,
  ) {}

  /** The oldest chain that the driver has made available and that is not finished; undefined when there is none. */
  next(): Chain | undefined {
    const { driverArea, finished, size } = this.place;
    const available = this.#read(driverArea + 2, 2).getUint16(0, true);
    const waiting = (available - finished) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > size) throw new RingError('more chains are available than the queue holds');
    return this.#follow(this.#read(driverArea + 4 + 2 * (finished % size), 2).getUint16(0, true));
  }

  /** Gives the chain of {@link next} back, with `written` bytes in its writable buffers. */
  finish({ head }: Chain, written: number): void {
    const { place } = this;
    const element = new DataView(new ArrayBuffer(8));
    element.setUint32(0, head, true);
    element.setUint32(4, written, true);
    this.#write(place.deviceArea + 4 + 8 * (place.finished % place.size), element);
    place.finished = (place.finished + 1) & 0xffff;
    const index = new DataView(new ArrayBuffer(2));
    index.setUint16(0, place.finished, true);
    // The driver may look as soon as the index is there: it comes last.
    this.#write(place.deviceArea + 2, index);
  }

  /**
   * Finishes up to a queueful of chains while `more` says so, each as `work` says: bytes written. True when there were any.
   */
  finishAll(work: (chain: Chain) => number, more = () => true): boolean {
    let chains = 0;
    // Another vCPU may make chains available as fast as they are taken; each comes with a notification of its own.
    for (; chains < MAX_QUEUE_SIZE && more(); chains++) {
      const chain = this.next();
      if (!chain) break;
      this.finish(chain, work(chain));
    }
    return chains > 0;
  }

  /** Whether the driver wants an interrupt for chains given back. */
  get wantsInterrupt(): boolean {
    return (this.#read(this.place.driverArea, 2).getUint16(0, true) & NO_INTERRUPT) === 0;
  }

  #follow(head: number): Chain {
    const readable: Buffer[] = [];
    const writable: Buffer[] = [];
    let table: Table = { at: this.place.descriptors, size: this.place.size };
    let index = head;
    for (let steps = 0; ; steps++) {
      if (index >= table.size) throw new RingError(`there is no descriptor ${index}`);
      if (steps > MAX_QUEUE_SIZE) throw new RingError('a chain of descriptors is too long, or runs in a circle');
      const descriptor = this.#read(table.at + DESCRIPTOR_BYTES * index, DESCRIPTOR_BYTES);
      const buffer = { gpa: Number(descriptor.getBigUint64(0, true)), length: descriptor.getUint32(8, true) };
      const flags = descriptor.getUint16(12, true);
      if ((flags & INDIRECT) !== 0) {
        table = this.#indirect(table, buffer, flags);
        index = 0;
        continue;
      }
      if ((flags & WRITE) !== 0) writable.push(buffer);
      else if (writable.length > 0) throw new RingError('a buffer to read from follows one to write to');
      else readable.push(buffer);
      if ((flags & NEXT) === 0) return { head, readable, writable };
      index = descriptor.getUint16(14, true);
    }
  }

  /** The table that a descriptor names instead of a buffer; it ends the chain it stands in. */
  #indirect(from: Table, { gpa, length }: Buffer, flags: number): Table {
    if (from.at !== this.place.descriptors) throw new RingError('an indirect table names another one');
    if ((flags & NEXT) !== 0) throw new RingError('a descriptor follows an indirect table');
    if (length === 0 || length % DESCRIPTOR_BYTES !== 0) {
      throw new RingError(`an indirect table has ${length} bytes`);
    }
    return { at: gpa, size: length / DESCRIPTOR_BYTES };
  }

  #read(gpa: number, length: number): DataView {
    const bytes = this.memory.read(gpa, length);
    if (bytes.length < length) throw new RingError(`the ring is not in memory at 0x${gpa.toString(16)}`);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  #write(gpa: number, data: DataView): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (this.memory.write(gpa, bytes) < bytes.length) {
      throw new RingError(`the ring is not in memory at 0x${gpa.toString(16)}`);
    }
  }
}
