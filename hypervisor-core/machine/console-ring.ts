/**
 * What the guest printed on one of its consoles: the last bytes of it, in shared memory, written by the vCPU worker that carries out
 * the port access (under the devices' lock) and read by the main thread.
 */

const HEADER_BYTES = 16;
/** Words of the header. */
const WRITTEN = 0;
const ANNOUNCED = 1;

/** Bytes of a ring with its header that keeps the last `capacity` bytes, a power of two. */
export const consoleRingBytes = (capacity: number): number => HEADER_BYTES + capacity;

export class ConsoleRing {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(
    memory: SharedArrayBuffer,
    offset: number,
    private readonly capacity: number,
  ) {
    this.#words = new Int32Array(memory, offset, HEADER_BYTES / 4);
    this.#bytes = new Uint8Array(memory, offset + HEADER_BYTES, capacity);
  }

  /** Bytes written so far, modulo 2^32. */
  get written(): number {
    return Atomics.load(this.#words, WRITTEN) >>> 0;
  }

  /** Adds a byte; true when the reader must be told, because it has not been since it last looked. */
  put(byte: number): boolean {
    const written = this.written;
    this.#bytes[written % this.capacity] = byte;
    Atomics.store(this.#words, WRITTEN, (written + 1) | 0);
    return Atomics.exchange(this.#words, ANNOUNCED, 1) === 0;
  }

  /** To be called by the reader before it reads, so that bytes after it are announced again. */
  acknowledge(): void {
    Atomics.store(this.#words, ANNOUNCED, 0);
  }

  /** The bytes after the first `from` ones and up to `written`, as far as they are still there. */
  since(from: number, written = this.written): Uint8Array {
    const count = Math.min((written - from) >>> 0, this.capacity);
    const start = (written - count) >>> 0;
    return Uint8Array.from({ length: count }, (_, index) => this.#bytes[(start + index) % this.capacity] ?? 0);
  }

  /** Those of the first `written` bytes that are still there. */
  history(written = this.written): Uint8Array {
    return this.since(written < this.capacity ? 0 : (written - this.capacity) >>> 0, written);
  }
}
