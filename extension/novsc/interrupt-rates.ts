/** How fast interrupts come: from the counts at this stop and those at stops before, by the guest's clock. */
import type { InterruptLogPart } from '../../debug-adapter/protocol/custom.ts';
import { Rate } from './rate.ts';

export class InterruptRates {
  readonly #rates = new Map<string, Rate>();
  /** Milliseconds of the guest's clock at the last look; `taken` is what was looked at. */
  #time = 0;
  #taken: InterruptLogPart | undefined;

  /** A log that was taken already changes nothing. */
  take(log: InterruptLogPart): void {
    if (log === this.#taken) return;
    const time = log.time / 1000;
    // The guest began anew, or went back to a snapshot.
    if (time < this.#time || log.total < (this.#taken?.total ?? 0)) {
      this.#rates.clear();
      this.#time = 0;
    }
    for (const { vector, count } of log.counts) this.#at(`vector ${vector}`, time, count);
    for (const { vcpu, interrupts } of log.injections) this.#at(`vCPU ${vcpu}`, time, interrupts);
    this.#time = time;
    this.#taken = log;
  }

  /** Interrupts a second of a vector, and of all that KVM injected into a vCPU. */
  of(kind: 'vector' | 'vCPU', number: number): number {
    return Math.max(0, this.#rates.get(`${kind} ${number}`)?.perSecond ?? 0);
  }

  #at(key: string, time: number, count: number): void {
    let rate = this.#rates.get(key);
    if (!rate) {
      rate = new Rate();
      // What was not counted at the last look had not come by then.
      rate.at(this.#time, 0);
      this.#rates.set(key, rate);
    }
    rate.at(time, count);
  }
}
