/**
 * The device's side of a split virtqueue (virtio 1.2, 2.7), without indirect descriptors and event indices. The rings are
 * the guest's and may hold anything: whatever does not follow the rules ends the queue with a {@link RingError}.
 */
import type { GuestMemory } from './device.ts';

/** The driver broke the rules of the ring. */
export class RingError extends Error {}

export const MAX_QUEUE_SIZE = 256;

const DESCRIPTOR_BYTES = 16;
const NEXT = 1 << 0;
const WRITE = 1 << 1;
const NO_INTERRUPT = 1 << 0;

/** Where the driver has put a queue, and how far the device has come in it. */
export interface QueuePlace {
  readonly size: number;
  readonly descriptors: number;
  readonly driverArea: number;
  readonly deviceArea: number;
  /** Counts of chains taken and given back, modulo 2^16. */
  taken: number;
  returned: number;
}

/** A run of guest memory that the device may read, or write. */
interface Buffer {
  readonly gpa: number;
  readonly length: number;
  readonly writable: boolean;
}

interface Chain {
  readonly head: number;
  readonly buffers: readonly Buffer[];
}

export class VirtioQueue {
  constructor(
    private readonly memory: GuestMemory,
    private readonly place: QueuePlace,
  ) {}

  /** The next chain that the driver has made available; undefined when there is none. */
  take(): Chain | undefined {
    const { place } = this;
    const available = this.#read(place.driverArea + 2, 2).getUint16(0, true);
    const waiting = (available - place.taken) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > place.size) throw new RingError('more chains are available than the queue holds');
    const slot = place.driverArea + 4 + 2 * (place.taken % place.size);
    const head = this.#read(slot, 2).getUint16(0, true);
    place.taken = (place.taken + 1) & 0xffff;
    return { head, buffers: this.#follow(head) };
  }

  /** Gives a chain back with `written` bytes in its writable buffers. */
  giveBack({ head }: Chain, written: number): void {
    const { place } = this;
    const element = new DataView(new ArrayBuffer(8));
    element.setUint32(0, head, true);
    element.setUint32(4, written, true);
    this.#write(place.deviceArea + 4 + 8 * (place.returned % place.size), element);
    place.returned = (place.returned + 1) & 0xffff;
    const index = new DataView(new ArrayBuffer(2));
    index.setUint16(0, place.returned, true);
    // The driver may look as soon as the index is there: it comes last.
    this.#write(place.deviceArea + 2, index);
  }

  /** Whether the driver wants an interrupt for chains given back. */
  get wantsInterrupt(): boolean {
    return (this.#read(this.place.driverArea, 2).getUint16(0, true) & NO_INTERRUPT) === 0;
  }

  #follow(head: number): Buffer[] {
    const buffers: Buffer[] = [];
    let index = head;
    for (;;) {
      if (index >= this.place.size) throw new RingError(`there is no descriptor ${index}`);
      if (buffers.length === this.place.size) throw new RingError('a chain of descriptors runs in a circle');
      const descriptor = this.#read(this.place.descriptors + DESCRIPTOR_BYTES * index, DESCRIPTOR_BYTES);
      const flags = descriptor.getUint16(12, true);
      buffers.push({
        gpa: Number(descriptor.getBigUint64(0, true)),
        length: descriptor.getUint32(8, true),
        writable: (flags & WRITE) !== 0,
      });
      if ((flags & NEXT) === 0) return buffers;
      index = descriptor.getUint16(14, true);
    }
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
