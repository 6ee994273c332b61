/** A wait between threads that is over sooner than a thread that sleeps is woken. */
import { availableParallelism } from 'node:os';

/** Where there is one processor, the other thread needs it. */
const onlyProcessor = availableParallelism() === 1;
/** How many waits are left out after one in vain: the machine is busy, or nobody is about to answer. */
const LEFT_OUT = 4;

export class AwakeWait {
  readonly #milliseconds: number;
  #leftOut = 0;

  /** @param milliseconds the longest wait, a fraction of one: the thread does nothing else meanwhile. */
  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  /** Waits until `words[index]` is no longer `value`, or not at all; the caller goes on by other means then. */
  until(words: Int32Array, index: number, value: number): void {
    if (onlyProcessor) return;
    if (this.#leftOut > 0) {
      this.#leftOut--;
      return;
    }
    const end = performance.now() + this.#milliseconds;
    while (Atomics.load(words, index) === value) {
      if (performance.now() < end) continue;
      this.#leftOut = LEFT_OUT;
      return;
    }
  }
}
