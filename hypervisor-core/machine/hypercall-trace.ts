/** The shared memory of the hypercalls: the state of the convention, and the ring of calls. */
import { HYPERCALL_STATE_BYTES } from '../hypercalls/abi.ts';
import { hypercallRecord } from '../hypercalls/hypercalls.ts';
import { HypercallRing, hypercallRingBytes } from '../trace/hypercall-ring.ts';
import type { Machine } from './api.ts';

const RING = HYPERCALL_STATE_BYTES;

export const hypercallMemoryBytes = (): number => RING + hypercallRingBytes();

export const hypercallState = (memory: SharedArrayBuffer): DataView => new DataView(memory, 0, HYPERCALL_STATE_BYTES);
export const hypercallRing = (memory: SharedArrayBuffer): HypercallRing => new HypercallRing(memory, RING);

/** The reader's end, on the main thread. */
export function hypercallReader(memory: SharedArrayBuffer): Machine['hypercalls'] {
  const ring = hypercallRing(memory);
  return {
    read: (from, limit) => {
      const { events, dropped, total } = ring.read(from, limit);
      return { records: events.map(({ sequence, event }) => hypercallRecord(sequence, event)), dropped, total };
    },
  };
}
