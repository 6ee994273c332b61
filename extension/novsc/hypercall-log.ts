/** The hypercalls that have been seen: each once and in order, what was lost counted, and how often each is made. */
import type { HypercallRecord, HypercallsPart } from '../../debug-adapter/protocol/custom.ts';
import { Rate } from './rate.ts';

/** Records kept for the view. */
export const LOG_CAPACITY = 100_000;

/** A call with the name of the place that it was made from. */
export interface Call extends HypercallRecord {
  /** `symbol+offset`. */
  readonly symbol?: string;
}

/** All calls of one kind. Times are microseconds. */
export interface CallCount {
  readonly abi: Call['abi'];
  readonly name: string;
  readonly code: Call['code'];
  readonly calls: number;
  /** Calls a second, lately. */
  readonly rate: number;
  readonly time: number;
}

export class HypercallLog {
  #next = 0;
  #total = 0;
  #lost = 0;
  readonly #rate = new Rate();
  readonly #counts = new Map<string, { readonly first: Call; calls: number; time: number; readonly rate: Rate }>();

  /**
   * Takes a batch and returns the calls of it that are new. Batches may overlap: the snapshot of a stop and the live
   * flow bring the same calls.
   */
  add(batch: HypercallsPart): readonly Call[] {
    this.#total = Math.max(this.#total, batch.total);
    const fresh = batch.records.filter(({ sequence }) => sequence >= this.#next);
    for (const { sequence } of fresh) {
      this.#lost += sequence - this.#next;
      this.#next = sequence + 1;
    }
    const calls = fresh.map((record): Call => {
      const symbol = batch.symbols[record.caller ?? record.rip];
      return symbol === undefined ? record : { ...record, symbol };
    });
    for (const call of calls) this.#count(call);
    this.#rate.at(performance.now(), this.#total);
    for (const count of this.#counts.values()) count.rate.at(performance.now(), count.calls);
    return calls;
  }

  /** Sequence number that comes next. */
  get next(): number {
    return this.#next;
  }

  /** Calls made so far. */
  get total(): number {
    return Math.max(this.#total, this.#next);
  }

  /** Calls that were overwritten before they could be fetched. */
  get lost(): number {
    return this.#lost;
  }

  /** Calls a second, lately. */
  get rate(): number {
    return this.#rate.perSecond;
  }

  get counts(): readonly CallCount[] {
    return [...this.#counts.values()].map(({ first, calls, time, rate }) => {
      const { abi, name, code } = first;
      return { abi, name, code, calls, time, rate: rate.perSecond };
    });
  }

  #count(call: Call): void {
    const key = `${call.abi} ${call.code}`;
    const known = this.#counts.get(key) ?? { first: call, calls: 0, time: 0, rate: new Rate() };
    known.calls++;
    known.time += call.duration ?? 0;
    this.#counts.set(key, known);
  }
}
