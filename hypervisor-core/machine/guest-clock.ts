/**
 * Time as devices see it: microseconds since the machine was made. It stands still while the machine is stopped; what has to keep
 * pace with the TSC and the timers in KVM, which do not, takes the time that went by. Shared memory.
 */

/** Nanoseconds: when the machine was made, how long it stood still so far, since when it stands still (0: it runs). */
const MADE = 0;
const PAUSED = 1;
const SINCE = 2;

/** Bytes of the clock. */
export const CLOCK_BYTES = 24;

const nanoseconds = (microseconds: number) => BigInt(Math.round(microseconds * 1000));
const monotonic = () => process.hrtime.bigint();

export class GuestClock {
  readonly #words: BigInt64Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#words = new BigInt64Array(memory, offset, CLOCK_BYTES / 8);
  }

  /** Sets the clock to `microseconds`, standing still, as if it had stood still for `stood` of them before. */
  set(microseconds: number, stood = 0): void {
    const now = monotonic();
    const before = nanoseconds(stood);
    this.#words.set([now - nanoseconds(microseconds) - before, before, now]);
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

  /** Microseconds, those included in which the machine stood still. */
  elapsed(): number {
    return Number(monotonic() - Atomics.load(this.#words, MADE)) / 1000;
  }
}
