/** The main thread's end of what the guest prints on one of its consoles. */
import type { ConsoleLog, Disposable } from './api.ts';
import type { ConsoleRing } from './console-ring.ts';
import { Listeners } from './listeners.ts';

/**
 * Milliseconds in which what the guest prints is gathered. It prints byte by byte, and a message for each, by way of the main
 * thread, the adapter and the editor, costs a busy machine more than the guest's own work.
 */
export const GATHERING = 50;

export class ConsoleOutput implements ConsoleLog {
  readonly #ring: ConsoleRing;
  readonly #listeners = new Listeners<Uint8Array>();
  #printed = 0;
  #gathering: NodeJS.Timeout | undefined;

  constructor(ring: ConsoleRing) {
    this.#ring = ring;
  }

  /** What was passed on: the rest is still to come. */
  history(): Uint8Array {
    return this.#ring.history(this.#printed);
  }

  onOutput(listener: (data: Uint8Array) => void): Disposable {
    return this.#listeners.add(listener);
  }

  /** The guest has printed: passes that on, and what comes in the next {@link GATHERING} ms together after it. */
  drain(): void {
    if (this.#gathering) return;
    this.#ring.acknowledge();
    if (!this.flush()) return;
    this.#gathering = setTimeout(() => {
      this.#gathering = undefined;
      this.drain();
    }, GATHERING);
  }

  /** Passes on what was printed since the last time, now; true when there was something. */
  flush(): boolean {
    // The guest may print on meanwhile.
    const { written } = this.#ring;
    const bytes = this.#ring.since(this.#printed, written);
    this.#printed = written;
    if (bytes.length > 0) this.#listeners.emit(bytes);
    return bytes.length > 0;
  }
}
