/** Time as devices see it: microseconds since the machine was made, standing still while it is stopped. Shared memory. */

/** Nanoseconds: when the machine was made, how long it stood still so far, since when it stands still (0: it runs). */
const MADE = 0;
const PAUSED = 1;
const SINCE = 2;

/** Bytes of the clock. */
export const CLOCK_BYTES = 24;

const monotonic = () => process.hrtime.bigint();

export class GuestClock {
  readonly #words: BigInt64Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#words = new BigInt64Array(memory, offset, CLOCK_BYTES / 8);
  }

  /** Sets the clock to `microseconds`, standing still. */
  set(microseconds: number): void {
    const now = monotonic();
    this.#words.set([now - BigInt(Math.round(microseconds * 1000)), 0n, now]);
  }

  stop(): void {
    Atomics.store(this.#words, SINCE, monotonic());
  }

  start(): void {
    const since = Atomics.exchange(this.#words, SINCE, 0n);
    if (since !== 0n) Atomics.add(this.#words, PAUSED, monotonic() - since);
  }

  /** Microseconds. */
  now(): number {
    const since = Atomics.load(this.#words, SINCE);
    const until = since === 0n ? monotonic() : since;
    return Number(until - Atomics.load(this.#words, MADE) - Atomics.load(this.#words, PAUSED)) / 1000;
  }
}
