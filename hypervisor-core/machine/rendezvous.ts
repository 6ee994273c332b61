/**
 * Lets one vCPU run while all others stand, for the moment in which it is stepped over a planted trap and the trap is not
 * there. Every worker enters the guest through here; shared memory.
 */
import { LOCK_BYTES, SharedLock } from './shared-lock.ts';

/** Words: whether the others have to wait, how many vCPUs are in the guest, then the lock of who is alone. */
const CLOSED = 0;
const INSIDE = 1;
const LOCK = 2;

/** Bytes of the shared memory. */
export const RENDEZVOUS_BYTES = 4 * LOCK + LOCK_BYTES;

export class Rendezvous {
  readonly #words: Int32Array;
  readonly #lock: SharedLock;
  readonly #kickOthers: () => void;
  /** This worker's vCPU is the one that runs alone. */
  #alone = false;

  /** `kickOthers` makes all other vCPUs leave the guest soon. */
  constructor(memory: SharedArrayBuffer, kickOthers: () => void) {
    this.#words = new Int32Array(memory, 0, LOCK);
    this.#lock = new SharedLock(memory, 4 * LOCK);
    this.#kickOthers = kickOthers;
  }

  /** Runs `run`, which enters the guest, not before nobody is alone any more. */
  inGuest(run: () => number): number {
    if (this.#alone) return run();
    this.#enter();
    try {
      return run();
    } finally {
      this.#leave();
    }
  }

  /** Runs `body` with all other vCPUs outside the guest. Not to be nested, and not from inside the guest. */
  alone<Result>(body: () => Result): Result {
    return this.#lock.hold(() => {
      Atomics.store(this.#words, CLOSED, 1);
      this.#alone = true;
      try {
        this.#kickOthers();
        for (let inside = this.#inside; inside !== 0; inside = this.#inside) Atomics.wait(this.#words, INSIDE, inside);
        return body();
      } finally {
        this.#alone = false;
        Atomics.store(this.#words, CLOSED, 0);
        Atomics.notify(this.#words, CLOSED);
      }
    });
  }

  get #inside(): number {
    return Atomics.load(this.#words, INSIDE);
  }

  #enter(): void {
    for (;;) {
      // Counted first, so that whoever closes either sees this vCPU inside or is seen by it.
      Atomics.add(this.#words, INSIDE, 1);
      if (Atomics.load(this.#words, CLOSED) === 0) return;
      this.#leave();
      Atomics.wait(this.#words, CLOSED, 1);
    }
  }

  #leave(): void {
    Atomics.sub(this.#words, INSIDE, 1);
    if (Atomics.load(this.#words, CLOSED) === 1) Atomics.notify(this.#words, INSIDE);
  }
}
