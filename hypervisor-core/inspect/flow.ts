/**
 * A flow of notifications to one client, at the pace at which the client reads: while one is on its way, what comes
 * meanwhile waits and goes out together. So a slow client costs no memory beyond what the source itself keeps.
 */
export class Flow {
  readonly #send: () => Promise<void> | undefined;
  #busy = false;
  #again = false;

  /** `send` sends what there is, and returns undefined when there is nothing. */
  constructor(send: () => Promise<void> | undefined) {
    this.#send = send;
  }

  /** Says that there may be something to send. */
  poke(): void {
    if (this.#busy) this.#again = true;
    else void this.#run();
  }

  async #run(): Promise<void> {
    this.#busy = true;
    try {
      do {
        this.#again = false;
        await this.#send();
      } while (this.#again);
    } catch {
      // The client is gone; its connection says so.
    } finally {
      this.#busy = false;
    }
  }
}

/** The newest bytes of a stream that nobody has taken yet, up to `limit`. */
export class Backlog {
  readonly #limit: number;
  #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(piece.slice());
    this.#length += piece.length;
    if (this.#length <= 2 * this.#limit) return;
    const newest = this.take();
    this.#pieces = [newest];
    this.#length = newest.length;
  }

  /** All of it, and then it is empty. */
  take(): Uint8Array {
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    return all.subarray(Math.max(0, all.length - this.#limit));
  }
}
