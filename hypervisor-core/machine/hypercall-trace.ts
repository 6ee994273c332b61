/** The shared memory of the hypercalls: the state of the convention, and the ring of calls. */
import { HYPERCALL_STATE_BYTES } from '../hypercalls/abi.ts';
import { hypercallRecord } from '../hypercalls/hypercalls.ts';
import { HypercallRing, hypercallRingBytes } from '../trace/hypercall-ring.ts';
import type { Disposable, Machine } from './api.ts';
import { Listeners } from './listeners.ts';

const RING = HYPERCALL_STATE_BYTES;
/** Milliseconds between two announcements of new records. */
const ANNOUNCE_EVERY = 50;

export const hypercallMemoryBytes = (): number => RING + hypercallRingBytes();

export const hypercallState = (memory: SharedArrayBuffer): DataView => new DataView(memory, 0, HYPERCALL_STATE_BYTES);
export const hypercallRing = (memory: SharedArrayBuffer): HypercallRing => new HypercallRing(memory, RING);

/** The reader's end, on the main thread. */
export class HypercallTrace implements Disposable {
  readonly #ring: HypercallRing;
  readonly #listeners = new Listeners<void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(memory: SharedArrayBuffer) {
    this.#ring = hypercallRing(memory);
  }

  /** To be called when a worker says that there are new records; passes it on at a pace that clients can take. */
  recorded(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#ring.acknowledge();
      this.#listeners.emit();
    }, ANNOUNCE_EVERY);
  }

  readonly api: Machine['hypercalls'] = {
    read: (from, limit) => {
      const { events, dropped, total } = this.#ring.read(from, limit);
      return { records: events.map(({ sequence, event }) => hypercallRecord(sequence, event)), dropped, total };
    },
    onRecorded: (listener) => this.#listeners.add(listener),
  };

  dispose(): void {
    clearTimeout(this.#timer);
  }
}
