/** The shared state of a virtio device: the transport's registers, its queues, MSI-X, then the device's own. */
import { msixBytes } from '../pci/msix.ts';
import type { VirtioDevice } from './virtio-device.ts';
import { MAX_QUEUE_SIZE } from './virtio-queue.ts';

/** A vector number that stands for none (VIRTIO_MSI_NO_VECTOR). */
export const NO_VECTOR = 0xffff;

/** Offsets of the transport's registers, and of a queue's within its {@link QUEUE.bytes}. */
export const AT = {
  ...{ deviceSelect: 0, driverSelect: 4, features: 8, status: 16, isr: 17, queueSelect: 18 },
  ...{ vector: 20, resets: 24, queues: 32 },
};
export const QUEUE = { size: 0, enable: 2, finished: 4, vector: 6, descriptors: 8, driver: 16, device: 24, bytes: 32 };

export const queueAt = (index: number) => AT.queues + index * QUEUE.bytes;
/** One vector for each queue and one for the configuration. */
export const vectorsOf = ({ queues }: VirtioDevice) => queues + 1;
const msixAt = ({ queues }: VirtioDevice) => queueAt(queues);
export const ownStateAt = (device: VirtioDevice) => msixAt(device) + msixBytes(vectorsOf(device));

export const part = (state: DataView, at: number, bytes: number) =>
  new DataView(state.buffer, state.byteOffset + at, bytes);
export const msixState = (state: DataView, device: VirtioDevice) =>
  part(state, msixAt(device), msixBytes(vectorsOf(device)));

/** What the driver's reset does; MSI-X and the device's own state stay. */
export function resetState(state: DataView, device: VirtioDevice): void {
  const resets = state.getUint32(AT.resets, true);
  for (let at = 0; at < msixAt(device); at++) state.setUint8(at, 0);
  state.setUint32(AT.resets, resets + 1, true);
  state.setUint16(AT.vector, NO_VECTOR, true);
  for (let queue = 0; queue < device.queues; queue++) {
    state.setUint16(queueAt(queue) + QUEUE.size, MAX_QUEUE_SIZE, true);
    state.setUint16(queueAt(queue) + QUEUE.vector, NO_VECTOR, true);
  }
}
