/** The entropy device of virtio (virtio 1.2, 5.4): one queue whose buffers are filled with random bytes. */
import { randomBytes } from 'node:crypto';
import type { GuestMemory } from '../device.ts';
import type { VirtioDevice } from './virtio-device.ts';
import type { Chain } from './virtio-queue.ts';

const DEVICE_ID = 4;
/** Bytes given for one chain; a driver that offered more is told how many came. */
const MOST_BYTES = 4096;

export const virtioRng: VirtioDevice = {
  name: 'virtio-rng',
  deviceId: DEVICE_ID,
  classCode: 0x00_ff_00,
  queues: 1,
  attach: () => ({ notified: (queue) => queue.finishAll((chain) => fill(chain, queue.memory)) }),
};

function fill({ writable }: Chain, memory: GuestMemory): number {
  let written = 0;
  for (const { gpa, length } of writable) {
    const wanted = Math.min(length, MOST_BYTES - written);
    const done = memory.write(gpa, randomBytes(wanted));
    written += done;
    if (done < wanted) break;
  }
  return written;
}
