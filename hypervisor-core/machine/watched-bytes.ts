/** What changes of watched memory while it cannot be watched: the frame of an interrupt is one write of the processor's. */
import type { Watch } from './debug-plan.ts';

/** A watched piece of memory, within one page. */
export interface PhysicalWatch extends Watch {
  readonly gva: bigint;
}

export class WatchedBytes {
  readonly #before: readonly { readonly watch: PhysicalWatch; readonly bytes: Uint8Array }[];
  readonly #read: (gpa: number, length: number) => Uint8Array;

  /** Notes what `watches` hold now. */
  constructor(watches: readonly PhysicalWatch[], read: (gpa: number, length: number) => Uint8Array) {
    this.#read = read;
    this.#before = watches.map((watch) => ({ watch, bytes: read(watch.start, watch.end - watch.start) }));
  }

  /** Virtual address of the first byte that has another value now. */
  get changed(): bigint | undefined {
    for (const { watch, bytes } of this.#before) {
      const now = this.#read(watch.start, bytes.length);
      const at = bytes.findIndex((byte, position) => now[position] !== byte);
      if (at >= 0) return watch.gva + BigInt(at);
    }
    return undefined;
  }
}
