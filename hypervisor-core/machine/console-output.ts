/** The main thread's end of what the guest prints on one of its consoles. */
import type { ConsoleLog, Disposable } from './api.ts';
import type { ConsoleRing } from './console-ring.ts';
import { Listeners } from './listeners.ts';

export class ConsoleOutput implements ConsoleLog {
  readonly #ring: ConsoleRing;
  readonly #listeners = new Listeners<Uint8Array>();
  #printed = 0;

  constructor(ring: ConsoleRing) {
    this.#ring = ring;
  }

  history(): Uint8Array {
    return this.#ring.history();
  }

  onOutput(listener: (data: Uint8Array) => void): Disposable {
    return this.#listeners.add(listener);
  }

  /** Passes on what was printed since the last time. */
  drain(): void {
    this.#ring.acknowledge();
    // The guest may print on meanwhile.
    const { written } = this.#ring;
    const bytes = this.#ring.since(this.#printed, written);
    this.#printed = written;
    if (bytes.length > 0) this.#listeners.emit(bytes);
  }
}
