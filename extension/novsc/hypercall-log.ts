/** The hypercalls that the view can show: the newest, in order, without doubles. */
import type { HypercallRecord, HypercallsPart } from '../../debug-adapter/protocol/custom.ts';

/** Records kept for the view. */
export const LOG_CAPACITY = 10_000;

export class HypercallLog {
  #records: HypercallRecord[] = [];
  #symbols = new Map<string, string>();
  #total = 0;
  #dropped = 0;

  /**
   * Takes a batch and returns the records of it that are new. Batches may overlap: the snapshot of a stop and the live
   * flow bring the same calls.
   */
  add(batch: HypercallsPart): readonly HypercallRecord[] {
    const next = this.next;
    const fresh = batch.records.filter((record) => record.sequence >= next);
    for (const [address, symbol] of Object.entries(batch.symbols)) this.#symbols.set(address, symbol);
    this.#total = Math.max(this.#total, batch.total);
    const first = fresh[0];
    if (first) this.#dropped += first.sequence - next;
    this.#records.push(...fresh);
    if (this.#records.length > LOG_CAPACITY) {
      this.#records.splice(0, this.#records.length - LOG_CAPACITY);
      this.#forgetSymbols();
    }
    return fresh;
  }

  /** Sequence number that comes next. */
  get next(): number {
    return (this.#records.at(-1)?.sequence ?? -1) + 1;
  }

  get records(): readonly HypercallRecord[] {
    return this.#records;
  }

  /** Calls made so far, and how many of them were never seen here. */
  get counts(): { readonly total: number; readonly dropped: number } {
    return { total: Math.max(this.#total, this.next), dropped: this.#dropped };
  }

  /** `symbol+offset` of where the call was made. */
  symbol(record: HypercallRecord): string | undefined {
    return this.#symbols.get(record.caller ?? record.rip);
  }

  #forgetSymbols(): void {
    const used = new Set<string>(this.#records.map((record) => record.caller ?? record.rip));
    for (const address of this.#symbols.keys()) if (!used.has(address)) this.#symbols.delete(address);
  }
}
