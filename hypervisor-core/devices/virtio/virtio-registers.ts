/** The registers of a virtio device in its PCI BAR (virtio 1.2, 4.1.4), and how it interrupts, on one thread. */
import type { DeviceHost } from '../device.ts';
import { Msix } from '../pci/msix.ts';
import { capabilityAt, interruptDisabled, type PciRegisterHandler } from '../pci/pci-function.ts';
import type { VirtioDevice, VirtioPort, VirtioService } from './virtio-device.ts';
import { INDIRECT_DESC, MAX_QUEUE_SIZE, type QueuePlace, RingError, VirtioQueue } from './virtio-queue.ts';
import { AT, msixState, NO_VECTOR, ownStateAt, part, QUEUE, queueAt, resetState, vectorsOf } from './virtio-state.ts';

/** The BAR that all structures are in, and its bytes. */
export const BAR = 4;
export const BAR_BYTES = 0x8000;

/** Structures in the BAR: configuration type of the capability, offset, length. */
export const COMMON = { type: 1, offset: 0x0000, length: 0x38 };
export const ISR = { type: 3, offset: 0x1000, length: 4 };
export const DEVICE = { type: 4, offset: 0x2000, length: 0x1000 };
export const NOTIFY = { type: 2, offset: 0x3000, length: 0x1000 };
export const NOTIFY_MULTIPLIER = 4;
export const TABLE = 0x4000;
export const PENDING = 0x5000;

/** Bits of device_status. */
const DRIVER_OK = 1 << 2;
const FEATURES_OK = 1 << 3;
const NEEDS_RESET = 1 << 6;

/** VIRTIO_F_VERSION_1, bit 32 of the features: a driver that does not know it drives another kind of device. */
const VERSION_1 = 1;

/** ISR status: a queue was used, the configuration changed. */
const QUEUE_USED = 1;
const CONFIGURATION_CHANGED = 2;

const MSIX_CAPABILITY = 0x11;

/** `space`: the function's configuration space, which says whether MSI-X is on. */
export function msixOf(
  state: DataView,
  space: DataView,
  device: VirtioDevice,
  host: Pick<DeviceHost, 'signalMsi' | 'now'>,
): Msix {
  const control = () => {
    const at = capabilityAt(space, MSIX_CAPABILITY);
    return at === undefined ? 0 : space.getUint16(at + 2, true);
  };
  return new Msix(msixState(state, device), vectorsOf(device), control, host);
}

export class Registers implements PciRegisterHandler, VirtioPort {
  readonly service: VirtioService;
  readonly #msix: Msix;

  constructor(
    private readonly state: DataView,
    private readonly host: DeviceHost,
    private readonly space: DataView,
    private readonly device: VirtioDevice,
    private readonly irq: number,
  ) {
    this.#msix = msixOf(state, space, device, host);
    this.service = device.attach(part(state, ownStateAt(device), device.stateBytes ?? 0), host);
  }

  read(offset: number, size: number): number {
    if (offset === ISR.offset) return this.#takeIsr();
    const value = this.#register(offset);
    return size === 4 ? value >>> 0 : (value & (2 ** (8 * size) - 1)) >>> 0;
  }

  write(offset: number, size: number, value: number): void {
    if (offset < COMMON.length) this.#writeCommon(offset, size, value);
    else if (offset >= TABLE && offset < PENDING) {
      if (size === 4) this.#msix.writeTable(offset - TABLE, value);
    } else if (offset >= NOTIFY.offset && offset < TABLE) {
      const index = Math.floor((offset - NOTIFY.offset) / NOTIFY_MULTIPLIER);
      this.serve(index, (queue) => this.service.notified(queue, index));
    }
  }

  configured(): void {
    this.#drive();
    this.#msix.sendPending();
  }

  get resets(): number {
    return this.state.getUint32(AT.resets, true);
  }

  serve(index: number, body: (queue: VirtioQueue) => boolean): boolean {
    const at = queueAt(index);
    if (index >= this.device.queues || !this.state.getUint16(at + QUEUE.enable, true)) return false;
    if ((this.#status & (DRIVER_OK | NEEDS_RESET)) !== DRIVER_OK) return false;
    const place = this.#place(at);
    try {
      const queue = new VirtioQueue(this.host.memory, place);
      const given = body(queue);
      if (given && queue.wantsInterrupt) this.#interrupt(QUEUE_USED, this.state.getUint16(at + QUEUE.vector, true));
    } catch (error) {
      if (!(error instanceof RingError)) throw error;
      this.state.setUint8(AT.status, this.#status | NEEDS_RESET);
      this.#interrupt(CONFIGURATION_CHANGED, this.state.getUint16(AT.vector, true));
    }
    this.state.setUint16(at + QUEUE.finished, place.finished, true);
    return true;
  }

  #takeIsr(): number {
    const isr = this.state.getUint8(AT.isr);
    this.state.setUint8(AT.isr, 0);
    this.#drive();
    return isr;
  }

  /** Start of the selected queue's state; undefined when there is no such queue. */
  get #queue(): number | undefined {
    const selected = this.state.getUint16(AT.queueSelect, true);
    return selected < this.device.queues ? queueAt(selected) : undefined;
  }

  get #status(): number {
    return this.state.getUint8(AT.status);
  }

  /** The 32 bits from `offset` on, of a register that begins there. */
  #register(offset: number): number {
    if (offset < COMMON.length) return this.#common(offset);
    if (offset >= TABLE)
      return offset < PENDING ? this.#msix.readTable(offset - TABLE) : this.#msix.readPending(offset - PENDING);
    const { configuration = [] } = this.device;
    const byte = (index: number) => configuration[offset - DEVICE.offset + index] ?? 0;
    return offset < DEVICE.offset ? 0 : byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24);
  }

  #common(offset: number): number {
    const queue = this.#queue;
    const ofQueue = (field: number) => (queue === undefined ? 0 : this.state.getUint16(queue + field, true));
    switch (offset) {
      case 0x00:
        return this.state.getUint32(AT.deviceSelect, true);
      case 0x04:
        return this.#offered(this.state.getUint32(AT.deviceSelect, true));
      case 0x08:
        return this.state.getUint32(AT.driverSelect, true);
      case 0x0c:
        return this.#driverFeatures(this.state.getUint32(AT.driverSelect, true));
      case 0x10:
        return this.state.getUint16(AT.vector, true);
      case 0x12:
        return this.device.queues;
      case 0x14:
        return this.#status;
      case 0x16:
        return this.state.getUint16(AT.queueSelect, true);
      case 0x18:
        return ofQueue(QUEUE.size);
      case 0x1a:
        return queue === undefined ? NO_VECTOR : ofQueue(QUEUE.vector);
      case 0x1c:
        return ofQueue(QUEUE.enable);
      case 0x1e:
        return queue === undefined ? 0 : this.state.getUint16(AT.queueSelect, true);
      default:
        return queue !== undefined && offset >= 0x20 && offset % 4 === 0
          ? this.state.getUint32(queue + QUEUE.descriptors + offset - 0x20, true)
          : 0;
    }
  }

  /** 32 of the bits of the features that the device has. */
  #offered(select: number): number {
    if (select === 0) return ((this.device.features ?? 0) | INDIRECT_DESC) >>> 0;
    return select === 1 ? VERSION_1 : 0;
  }

  #driverFeatures(select: number): number {
    return select < 2 ? this.state.getUint32(AT.features + 4 * select, true) : 0;
  }

  #writeCommon(offset: number, size: number, value: number): void {
    if (offset === 0x00 && size === 4) this.state.setUint32(AT.deviceSelect, value, true);
    else if (offset === 0x08 && size === 4) this.state.setUint32(AT.driverSelect, value, true);
    else if (offset === 0x0c && size === 4) {
      const select = this.state.getUint32(AT.driverSelect, true);
      if (select < 2 && !(this.#status & FEATURES_OK)) this.state.setUint32(AT.features + 4 * select, value, true);
    } else if (offset === 0x10 && size === 2) this.state.setUint16(AT.vector, this.#vector(value), true);
    else if (offset === 0x14 && size === 1) this.#setStatus(value);
    else if (offset === 0x16 && size === 2) this.state.setUint16(AT.queueSelect, value, true);
    else this.#writeQueue(offset, size, value);
  }

  /** A vector that does not exist reads back as none, which tells the driver so. */
  #vector = (value: number) => (this.#msix.has(value) ? value : NO_VECTOR);

  #setStatus(value: number): void {
    if (value === 0) {
      resetState(this.state, this.device);
      this.#drive();
      return;
    }
    const [low, high] = [this.#driverFeatures(0), this.#driverFeatures(1)];
    const agreed = (low & ~this.#offered(0)) === 0 && high === VERSION_1;
    this.state.setUint8(AT.status, (agreed ? value : value & ~FEATURES_OK) | (this.#status & NEEDS_RESET));
  }

  /** An enabled queue does not change any more until the device is reset, but for its vector. */
  #writeQueue(offset: number, size: number, value: number): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    if (offset === 0x1a && size === 2) this.state.setUint16(queue + QUEUE.vector, this.#vector(value), true);
    if (this.state.getUint16(queue + QUEUE.enable, true)) return;
    if (offset === 0x18 && size === 2) {
      const valid = value > 0 && value <= MAX_QUEUE_SIZE && (value & (value - 1)) === 0;
      if (valid) this.state.setUint16(queue + QUEUE.size, value, true);
    } else if (offset === 0x1c && size === 2) {
      if (value === 1) this.state.setUint16(queue + QUEUE.enable, 1, true);
    } else if (offset >= 0x20 && offset % 4 === 0 && size === 4) {
      this.state.setUint32(queue + QUEUE.descriptors + offset - 0x20, value, true);
    }
  }

  #place(at: number): QueuePlace {
    const address = (field: number) => Number(this.state.getBigUint64(at + field, true));
    return {
      size: this.state.getUint16(at + QUEUE.size, true),
      descriptors: address(QUEUE.descriptors),
      driverArea: address(QUEUE.driver),
      deviceArea: address(QUEUE.device),
      finished: this.state.getUint16(at + QUEUE.finished, true),
    };
  }

  #interrupt(bits: number, vector: number): void {
    if (this.#msix.enabled) {
      this.#msix.raise(vector);
      return;
    }
    this.state.setUint8(AT.isr, this.state.getUint8(AT.isr) | bits);
    this.#drive();
  }

  /** Brings the interrupt line to the level that it should have. */
  #drive(): void {
    const asserted = this.state.getUint8(AT.isr) !== 0 && !this.#msix.enabled && !interruptDisabled(this.space);
    this.host.setIrq(this.irq, asserted);
  }
}
