/**
 * The last exits of one vCPU in shared memory. The vCPU's worker alone writes; readers keep their own place. A record is
 * marked with its sequence number when it is whole and with 0 while it is being written, so a reader never takes half a
 * record, and what was overwritten before it was read is counted.
 */
import type { ExitReason } from '../protocol/inspect.ts';
import { EXIT_REASONS } from './exit-reasons.ts';

/** Records kept for each vCPU. */
const EXIT_CAPACITY = 1 << 15;

/** Layout of a record; `complete` is the sequence number plus 1. Addresses and values in halves. */
const AT = {
  complete: 0,
  time: 8,
  duration: 16,
  ripLow: 24,
  ripHigh: 28,
  addressLow: 32,
  addressHigh: 36,
  valueLow: 40,
  valueHigh: 44,
  count: 48,
  reason: 52,
  size: 53,
};
const RECORD_BYTES = 56;
const HEADER_BYTES = 8;

/** Bytes of one vCPU's ring; untouched pages cost nothing. */
export const exitRingBytes = (capacity = EXIT_CAPACITY): number => HEADER_BYTES + capacity * RECORD_BYTES;

/** An exit as the worker hands it over: addresses and values in halves of 32 bits. */
export interface RawExit {
  time: number;
  duration: number;
  reason: number;
  ripLow: number;
  ripHigh: number;
  addressLow: number;
  addressHigh: number;
  valueLow: number;
  valueHigh: number;
  /** Bytes of one access; 0 where there was none. */
  size: number;
  /** Accesses: more than one for string instructions. */
  count: number;
}

export interface ExitEvent {
  readonly sequence: number;
  /** Microseconds since the machine was made, and those that user space took. */
  readonly time: number;
  readonly duration: number;
  readonly reason: ExitReason;
  readonly rip: bigint;
  readonly address: bigint;
  readonly value: bigint;
  readonly size: number;
  readonly count: number;
}

export interface ExitReading {
  readonly events: readonly ExitEvent[];
  /** Records from the asked-for one on that were overwritten before they could be read. */
  readonly dropped: number;
  readonly total: number;
}

export class ExitRing {
  readonly #view: DataView;
  readonly #complete: BigInt64Array;
  readonly #next: BigInt64Array;

  /** `offset` is a multiple of 8; the memory is zero at first. */
  constructor(
    memory: SharedArrayBuffer,
    offset: number,
    private readonly capacity = EXIT_CAPACITY,
  ) {
    this.#next = new BigInt64Array(memory, offset, 1);
    const records = offset + HEADER_BYTES;
    this.#complete = new BigInt64Array(memory, records, (capacity * RECORD_BYTES) / 8);
    this.#view = new DataView(memory, records, capacity * RECORD_BYTES);
  }

  get total(): number {
    return Number(Atomics.load(this.#next, 0));
  }

  add(exit: RawExit): void {
    const sequence = Atomics.load(this.#next, 0);
    const at = Number(sequence % BigInt(this.capacity)) * RECORD_BYTES;
    const view = this.#view;
    Atomics.store(this.#complete, at / 8, 0n);
    view.setFloat64(at + AT.time, exit.time, true);
    view.setFloat64(at + AT.duration, exit.duration, true);
    view.setUint32(at + AT.ripLow, exit.ripLow, true);
    view.setUint32(at + AT.ripHigh, exit.ripHigh, true);
    view.setUint32(at + AT.addressLow, exit.addressLow, true);
    view.setUint32(at + AT.addressHigh, exit.addressHigh, true);
    view.setUint32(at + AT.valueLow, exit.valueLow, true);
    view.setUint32(at + AT.valueHigh, exit.valueHigh, true);
    view.setUint32(at + AT.count, exit.count, true);
    view.setUint8(at + AT.reason, exit.reason);
    view.setUint8(at + AT.size, exit.size);
    Atomics.store(this.#complete, at / 8, sequence + 1n);
    Atomics.store(this.#next, 0, sequence + 1n);
  }

  /** Complete records with sequence numbers from `from` on, oldest first, at most `limit`. */
  read(from: number, limit: number): ExitReading {
    const { total } = this;
    const events: ExitEvent[] = [];
    let first = Math.min(total, Math.max(from, total - this.capacity));
    for (let sequence = first; sequence < total && events.length < limit; sequence++) {
      const event = this.#readAt(sequence);
      if (event) events.push(event);
      else {
        // The writer overtook us; all that was read before it would leave a gap.
        events.length = 0;
        first = sequence + 1;
      }
    }
    return { events, dropped: Math.max(0, first - from), total };
  }

  #readAt(sequence: number): ExitEvent | undefined {
    const at = (sequence % this.capacity) * RECORD_BYTES;
    const whole = () => Atomics.load(this.#complete, at / 8) === BigInt(sequence + 1);
    if (!whole()) return undefined;
    const view = this.#view;
    const wide = (low: number) => view.getBigUint64(at + low, true);
    const event: ExitEvent = {
      sequence,
      time: view.getFloat64(at + AT.time, true),
      duration: view.getFloat64(at + AT.duration, true),
      reason: EXIT_REASONS[view.getUint8(at + AT.reason)] ?? 'other',
      rip: wide(AT.ripLow),
      address: wide(AT.addressLow),
      value: wide(AT.valueLow),
      size: view.getUint8(at + AT.size),
      count: view.getUint32(at + AT.count, true),
    };
    return whole() ? event : undefined;
  }
}
