/** What makes a kind of virtio device, apart from the transport that carries it. */
import type { DeviceHost } from '../device.ts';
import type { VirtioQueue } from './virtio-queue.ts';

export interface VirtioDevice {
  readonly name: string;
  /** Virtio's number for the kind (virtio 1.2, chapter 5). */
  readonly deviceId: number;
  /** PCI class, subclass and programming interface. */
  readonly classCode: number;
  readonly queues: number;
  /** Feature bits 0 to 31 of this kind of device. */
  readonly features?: number;
  /** Device configuration, which the driver can only read. */
  readonly configuration?: Uint8Array;
  /** Bytes of shared state beside the transport's. */
  readonly stateBytes?: number;
  attach(state: DataView, host: DeviceHost): VirtioService;
}

export interface VirtioService {
  /**
   * Works on a queue after the driver's notification, on the vCPU that made it and under the bus lock: only what is quick.
   * True when something was given back. May throw `RingError`.
   */
  notified(queue: VirtioQueue, index: number): boolean;
}

/** The transport's end of a device, for what happens without a notification; to be called under the bus lock. */
export interface VirtioPort<Service extends VirtioService = VirtioService> {
  readonly service: Service;
  /** Counts the resets by the driver: what was begun before one must not be finished after it. */
  readonly resets: number;
  /**
   * Works on a queue if the driver has started it: false when it has not. `body` says whether something was given back,
   * and the driver is then told.
   */
  serve(index: number, body: (queue: VirtioQueue) => boolean): boolean;
}
