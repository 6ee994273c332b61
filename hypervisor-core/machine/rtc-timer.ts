/** The real-time clock's own time: looks after its interrupts on the main thread while the guest runs. */
import type { RtcHandler } from '../devices/rtc-cmos.ts';

export class RtcTimer {
  readonly #look: () => number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  /** `hold` runs a function under the lock of the devices. */
  constructor(rtc: RtcHandler, hold: (body: () => number | undefined) => number | undefined) {
    this.#look = () => hold(() => rtc.look());
  }

  setRunning(running: boolean): void {
    this.#running = running;
    this.look();
  }

  /** To be called when the guest may have changed what it is to be interrupted for. */
  look(): void {
    clearTimeout(this.#timer);
    if (!this.#running) return;
    const next = this.#look();
    // No timer of this thread is finer than a millisecond; periods that go by meanwhile are one interrupt.
    if (next !== undefined) this.#timer = setTimeout(() => this.look(), Math.max(1, next));
  }
}
