/**
 * The block device of virtio (virtio 1.2, 5.2) with one queue. Its requests are carried out on the main thread
 * (block-server.ts), because a disk may take its time and neither a vCPU nor the bus lock shall wait for it.
 */
import type { VirtioDevice } from './virtio-device.ts';

const DEVICE_ID = 2;
const FEATURE = { sizeMax: 1 << 1, segMax: 1 << 2, blockSize: 1 << 6, flush: 1 << 9 };
const CONFIGURATION = { capacity: 0, sizeMax: 8, segMax: 12, blockSize: 20, bytes: 24 };

/** Most bytes of a segment and most segments of a request; together they bound what one request can ask for. */
export const SIZE_MAX = 0x1_0000;
export const SEG_MAX = 126;

export const VIRTIO_BLK = 'virtio-blk';

export function virtioBlk(sectors: number): VirtioDevice {
  const configuration = new DataView(new ArrayBuffer(CONFIGURATION.bytes));
  configuration.setBigUint64(CONFIGURATION.capacity, BigInt(sectors), true);
  configuration.setUint32(CONFIGURATION.sizeMax, SIZE_MAX, true);
  configuration.setUint32(CONFIGURATION.segMax, SEG_MAX, true);
  configuration.setUint32(CONFIGURATION.blockSize, 512, true);
  return {
    name: VIRTIO_BLK,
    deviceId: DEVICE_ID,
    classCode: 0x01_00_00,
    queues: 1,
    features: FEATURE.sizeMax | FEATURE.segMax | FEATURE.blockSize | FEATURE.flush,
    configuration: new Uint8Array(configuration.buffer),
    attach: (_, host) => ({
      notified() {
        host.wake();
        return false;
      },
    }),
  };
}
