/**
 * The block device of virtio (virtio 1.2, 5.2) with one queue. Its requests are carried out on the main thread
 * (block-server.ts), because a disk may take its time and neither a vCPU nor the bus lock shall wait for it.
 */
import type { VirtioDevice } from './virtio-device.ts';

const DEVICE_ID = 2;
const FEATURE = { sizeMax: 1 << 1, segMax: 1 << 2, geometry: 1 << 4, blockSize: 1 << 6, flush: 1 << 9 };
const CONFIGURATION = { capacity: 0, sizeMax: 8, segMax: 12, geometry: 16, blockSize: 20, bytes: 24 };
/** The geometry that QEMU gives a disk. */
const GEOMETRY = { heads: 16, track: 63, mostCylinders: 16_383 };

/** Most bytes of a segment and most segments of a request; together they bound what one request can ask for. */
export const SIZE_MAX = 0x1_0000;
export const SEG_MAX = 126;

export const VIRTIO_BLK = 'virtio-blk';

export function virtioBlk(sectors: number): VirtioDevice {
  const configuration = new DataView(new ArrayBuffer(CONFIGURATION.bytes));
  configuration.setBigUint64(CONFIGURATION.capacity, BigInt(sectors), true);
  configuration.setUint32(CONFIGURATION.sizeMax, SIZE_MAX, true);
  configuration.setUint32(CONFIGURATION.segMax, SEG_MAX, true);
  const { cylinders, heads, track } = geometryOf(sectors);
  configuration.setUint16(CONFIGURATION.geometry, cylinders, true);
  configuration.setUint8(CONFIGURATION.geometry + 2, heads);
  configuration.setUint8(CONFIGURATION.geometry + 3, track);
  configuration.setUint32(CONFIGURATION.blockSize, 512, true);
  return {
    name: VIRTIO_BLK,
    deviceId: DEVICE_ID,
    classCode: 0x01_00_00,
    queues: 1,
    features: Object.values(FEATURE).reduce((all, bit) => all | bit, 0),
    configuration: new Uint8Array(configuration.buffer),
    attach: (_, host) => ({
      notified() {
        host.wake();
        return false;
      },
    }),
  };
}

/** Firmware boots no disk of less than a cylinder: a small one is of one head, and its tracks no longer than it is. */
function geometryOf(sectors: number): { readonly cylinders: number; readonly heads: number; readonly track: number } {
  const { heads, track, mostCylinders } = GEOMETRY;
  if (sectors >= heads * track) {
    return { cylinders: Math.min(Math.floor(sectors / (heads * track)), mostCylinders), heads, track };
  }
  const small = Math.max(1, Math.min(sectors, track));
  return { cylinders: Math.floor(sectors / small), heads: 1, track: small };
}
