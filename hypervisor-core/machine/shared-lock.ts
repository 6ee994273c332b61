/** A lock in shared memory; it sleeps on a futex, so a holder that is slow costs the waiters no processor time. */
const FREE = 0;
const HELD = 1;
const HELD_AND_WANTED = 2;

/** Bytes of a lock. */
export const LOCK_BYTES = 4;

export class SharedLock {
  readonly #word: Int32Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#word = new Int32Array(memory, offset, 1);
  }

  /** Runs `body` while nobody else runs under this lock. Not to be nested. */
  hold<Result>(body: () => Result): Result {
    if (Atomics.compareExchange(this.#word, 0, FREE, HELD) !== FREE) {
      while (Atomics.exchange(this.#word, 0, HELD_AND_WANTED) !== FREE) Atomics.wait(this.#word, 0, HELD_AND_WANTED);
    }
    try {
      return body();
    } finally {
      if (Atomics.exchange(this.#word, 0, FREE) === HELD_AND_WANTED) Atomics.notify(this.#word, 0, 1);
    }
  }
}
