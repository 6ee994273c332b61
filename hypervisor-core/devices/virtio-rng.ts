/** The entropy device of virtio (virtio 1.2, 5.4): one queue whose buffers are filled with random bytes. */
import { randomBytes } from 'node:crypto';
import type { GuestMemory } from './device.ts';
import { virtioPci } from './virtio-pci.ts';
import { MAX_QUEUE_SIZE, type VirtioQueue } from './virtio-queue.ts';

const DEVICE_ID = 4;
/** Bytes given for one chain; a driver that offered more is told how many came. */
const MOST_BYTES = 4096;

/** On PCI with interrupt line `irq` and its registers at `bar` until the guest moves them. */
export const virtioRng = ({ irq, bar }: { readonly irq: number; readonly bar: number }) =>
  virtioPci({ name: 'virtio-rng', deviceId: DEVICE_ID, classCode: 0xff_00_00, queues: 1, irq, bar, service });

function service(queue: VirtioQueue, memory: GuestMemory): boolean {
  let chains = 0;
  // Another vCPU may make chains available as fast as they are taken; each comes with a notification of its own.
  for (; chains < MAX_QUEUE_SIZE; chains++) {
    const chain = queue.take();
    if (!chain) break;
    let written = 0;
    for (const { gpa, length, writable } of chain.buffers) {
      const wanted = Math.min(length, MOST_BYTES - written);
      if (!writable || wanted === 0) continue;
      const done = memory.write(gpa, randomBytes(wanted));
      written += done;
      if (done < wanted) break;
    }
    queue.giveBack(chain, written);
  }
  return chains > 0;
}
