/** A queue of bytes in shared memory, for callers that hold the bus lock. */

const HEADER = 8;
const HEAD = 0;
const COUNT = 4;

/** Bytes of shared memory that a queue of `capacity` bytes takes. */
export const fifoBytes = (capacity: number): number => HEADER + capacity;

export class ByteFifo {
  /** The queue lies at `offset` of `state`; zeroed memory is an empty queue. */
  constructor(
    private readonly state: DataView,
    private readonly offset: number,
    private readonly capacity: number,
  ) {}

  get count(): number {
    return this.state.getUint32(this.offset + COUNT, true);
  }

  /** False when the queue is full and the byte was not taken. */
  push(byte: number): boolean {
    const count = this.count;
    if (count >= this.capacity) return false;
    const at = (this.#head + count) % this.capacity;
    this.state.setUint8(this.offset + HEADER + at, byte);
    this.#setCount(count + 1);
    return true;
  }

  /** The oldest byte; undefined when there is none. */
  shift(): number | undefined {
    const count = this.count;
    if (count === 0) return undefined;
    const head = this.#head;
    this.state.setUint32(this.offset + HEAD, (head + 1) % this.capacity, true);
    this.#setCount(count - 1);
    return this.state.getUint8(this.offset + HEADER + head);
  }

  clear(): void {
    this.#setCount(0);
  }

  get #head(): number {
    return this.state.getUint32(this.offset + HEAD, true);
  }

  #setCount(count: number): void {
    this.state.setUint32(this.offset + COUNT, count, true);
  }
}
