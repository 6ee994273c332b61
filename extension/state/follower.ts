/**
 * Keeps a view up to date while the guest runs, by asking: the next question waits for the answer to the last, so a slow
 * window slows only its own questions, and a hidden one asks nothing.
 */

/** Milliseconds between an answer that left nothing to fetch and the next question, when nothing else is said. */
const PAUSE = 150;

export class Follower {
  readonly #ask: () => Promise<boolean>;
  readonly #pause: number;
  #on = false;
  #asking = false;
  #timer: NodeJS.Timeout | undefined;

  /** `ask` fetches once and says whether there is more to fetch at once. It rejects when there is nobody to ask. */
  constructor(ask: () => Promise<boolean>, pause = PAUSE) {
    this.#ask = ask;
    this.#pause = pause;
  }

  set on(on: boolean) {
    this.#on = on;
    if (!on) clearTimeout(this.#timer);
    else if (!this.#asking) void this.#run();
  }

  dispose(): void {
    this.on = false;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#asking = true;
    try {
      while (this.#on && (await this.#ask())) {}
      if (this.#on) this.#timer = setTimeout(() => this.#run(), this.#pause);
    } catch {
      // The session has just ended, or its target cannot answer: the view says so by itself.
    } finally {
      this.#asking = false;
    }
  }
}
