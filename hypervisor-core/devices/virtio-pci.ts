/**
 * Virtio over PCI (virtio 1.2, 4.1): the modern register layout in one memory BAR, with an INTx interrupt. The registers
 * are under the bus lock like all devices'; a notification is carried out on the vCPU that makes it.
 */
import { hex } from '../protocol/hex.ts';
import type { DeviceHost, GuestMemory } from './device.ts';
import { type PciFunction, type PciRegisters, pciFunction } from './pci-function.ts';
import { MAX_QUEUE_SIZE, type QueuePlace, RingError, VirtioQueue } from './virtio-queue.ts';

const VENDOR = 0x1af4;
const FIRST_DEVICE = 0x1040;
const BAR = 4;
const BAR_BYTES = 0x4000;

/** Structures in the BAR: configuration type of the capability, offset, length. */
const COMMON = { type: 1, offset: 0x0000, length: 0x38 };
const NOTIFY = { type: 2, offset: 0x3000, length: 0x1000 };
const ISR = { type: 3, offset: 0x1000, length: 4 };
const NOTIFY_MULTIPLIER = 4;

/** Bits of device_status. */
const DRIVER_OK = 1 << 2;
const FEATURES_OK = 1 << 3;
const NEEDS_RESET = 1 << 6;

/** Bit 32: the one feature offered. */
const VERSION_1 = [0, 1];
const NO_VECTOR = 0xffff;

/** Layout of the shared state. */
const AT = { deviceSelect: 0, driverSelect: 4, features: 8, status: 16, isr: 17, queueSelect: 18, queues: 32 };
const QUEUE = { size: 0, enable: 2, taken: 4, returned: 6, descriptors: 8, driver: 16, device: 24, bytes: 32 };

interface VirtioDevice {
  readonly name: string;
  readonly deviceId: number;
  readonly classCode: number;
  readonly queues: number;
  readonly irq: number;
  /** Where the BAR is until the guest moves it. */
  readonly bar: number;
  /** Works on a queue after a notification; true when something was given back. May throw {@link RingError}. */
  service(queue: VirtioQueue, memory: GuestMemory): boolean;
}

export function virtioPci(device: VirtioDevice): PciFunction {
  const registers: PciRegisters = {
    bar: BAR,
    size: BAR_BYTES,
    stateBytes: AT.queues + QUEUE.bytes * device.queues,
    reset: (state) => resetState(state, device.queues),
    attach: (state, host) => new Registers(state, host, device),
    describe: (state) => [
      { name: 'device_status', value: hex(state.getUint8(AT.status)) },
      { name: 'ISR status', value: hex(state.getUint8(AT.isr)) },
      ...Array.from({ length: device.queues }, (_, queue) => {
        const at = AT.queues + queue * QUEUE.bytes;
        const [taken, returned] = [state.getUint16(at + QUEUE.taken, true), state.getUint16(at + QUEUE.returned, true)];
        const text = state.getUint16(at + QUEUE.enable, true) ? `${taken} taken, ${returned} returned` : 'off';
        return { name: `queue ${queue}`, value: hex(state.getUint16(at + QUEUE.size, true)), text };
      }),
    ],
  };
  return pciFunction(device.name, {
    vendor: VENDOR,
    device: FIRST_DEVICE + device.deviceId,
    classCode: device.classCode,
    revision: 1,
    interruptLine: device.irq,
    capabilities: [capability(COMMON), capability(ISR), capability(NOTIFY, NOTIFY_MULTIPLIER)],
    memory: { at: device.bar, registers },
  });
}

/** struct virtio_pci_cap without its first two bytes, which link the list. */
function capability({ type, offset, length }: typeof COMMON, multiplier?: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(multiplier === undefined ? 14 : 18));
  view.setUint8(0, view.byteLength + 2);
  view.setUint8(1, type);
  view.setUint8(2, BAR);
  view.setUint32(6, offset, true);
  view.setUint32(10, length, true);
  if (multiplier !== undefined) view.setUint32(14, multiplier, true);
  return new Uint8Array(view.buffer);
}

function resetState(state: DataView, queues: number): void {
  for (let at = 0; at < state.byteLength; at++) state.setUint8(at, 0);
  for (let queue = 0; queue < queues; queue++) {
    state.setUint16(AT.queues + queue * QUEUE.bytes + QUEUE.size, MAX_QUEUE_SIZE, true);
  }
}

class Registers {
  constructor(
    private readonly state: DataView,
    private readonly host: DeviceHost,
    private readonly device: VirtioDevice,
  ) {}

  read(offset: number, size: number): number {
    if (offset === ISR.offset) return this.#takeIsr();
    if (offset >= COMMON.length) return 0;
    const value = this.#common(offset);
    return size === 4 ? value >>> 0 : (value & (2 ** (8 * size) - 1)) >>> 0;
  }

  write(offset: number, size: number, value: number): void {
    if (offset >= NOTIFY.offset) this.#notified(Math.floor((offset - NOTIFY.offset) / NOTIFY_MULTIPLIER));
    else if (offset < COMMON.length) this.#writeCommon(offset, size, value);
  }

  #takeIsr(): number {
    const isr = this.state.getUint8(AT.isr);
    this.state.setUint8(AT.isr, 0);
    this.host.setIrq(this.device.irq, false);
    return isr;
  }

  /** Start of the selected queue's state; undefined when there is no such queue. */
  get #queue(): number | undefined {
    const selected = this.state.getUint16(AT.queueSelect, true);
    return selected < this.device.queues ? AT.queues + selected * QUEUE.bytes : undefined;
  }

  get #status(): number {
    return this.state.getUint8(AT.status);
  }

  #common(offset: number): number {
    const queue = this.#queue;
    const ofQueue = (field: number) => (queue === undefined ? 0 : this.state.getUint16(queue + field, true));
    switch (offset) {
      case 0x00:
        return this.state.getUint32(AT.deviceSelect, true);
      case 0x04:
        return VERSION_1[this.state.getUint32(AT.deviceSelect, true)] ?? 0;
      case 0x08:
        return this.state.getUint32(AT.driverSelect, true);
      case 0x0c:
        return this.#driverFeatures(this.state.getUint32(AT.driverSelect, true));
      case 0x10:
      case 0x1a:
        return NO_VECTOR;
      case 0x12:
        return this.device.queues;
      case 0x14:
        return this.#status;
      case 0x16:
        return this.state.getUint16(AT.queueSelect, true);
      case 0x18:
        return ofQueue(QUEUE.size);
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

  #driverFeatures(select: number): number {
    return select < 2 ? this.state.getUint32(AT.features + 4 * select, true) : 0;
  }

  #writeCommon(offset: number, size: number, value: number): void {
    if (offset === 0x00 && size === 4) this.state.setUint32(AT.deviceSelect, value, true);
    else if (offset === 0x08 && size === 4) this.state.setUint32(AT.driverSelect, value, true);
    else if (offset === 0x0c && size === 4) {
      const select = this.state.getUint32(AT.driverSelect, true);
      if (select < 2 && !(this.#status & FEATURES_OK)) this.state.setUint32(AT.features + 4 * select, value, true);
    } else if (offset === 0x14 && size === 1) this.#setStatus(value);
    else if (offset === 0x16 && size === 2) this.state.setUint16(AT.queueSelect, value, true);
    else this.#writeQueue(offset, size, value);
  }

  #setStatus(value: number): void {
    if (value === 0) {
      resetState(this.state, this.device.queues);
      this.host.setIrq(this.device.irq, false);
      return;
    }
    const agreed = [0, 1].every((word) => this.#driverFeatures(word) === VERSION_1[word]);
    this.state.setUint8(AT.status, (agreed ? value : value & ~FEATURES_OK) | (this.#status & NEEDS_RESET));
  }

  /** An enabled queue does not change any more until the device is reset. */
  #writeQueue(offset: number, size: number, value: number): void {
    const queue = this.#queue;
    if (queue === undefined || this.state.getUint16(queue + QUEUE.enable, true)) return;
    if (offset === 0x18 && size === 2) {
      const valid = value > 0 && value <= MAX_QUEUE_SIZE && (value & (value - 1)) === 0;
      if (valid) this.state.setUint16(queue + QUEUE.size, value, true);
    } else if (offset === 0x1c && size === 2) {
      if (value === 1) this.state.setUint16(queue + QUEUE.enable, 1, true);
    } else if (offset >= 0x20 && offset % 4 === 0 && size === 4) {
      this.state.setUint32(queue + QUEUE.descriptors + offset - 0x20, value, true);
    }
  }

  #notified(index: number): void {
    const at = AT.queues + index * QUEUE.bytes;
    if (index >= this.device.queues || !this.state.getUint16(at + QUEUE.enable, true)) return;
    if ((this.#status & (DRIVER_OK | NEEDS_RESET)) !== DRIVER_OK) return;
    const place = this.#place(at);
    const { memory } = this.host;
    try {
      const queue = new VirtioQueue(memory, place);
      if (this.device.service(queue, memory) && queue.wantsInterrupt) this.#interrupt(1);
    } catch (error) {
      if (!(error instanceof RingError)) throw error;
      this.state.setUint8(AT.status, this.#status | NEEDS_RESET);
      this.#interrupt(2);
    }
    this.state.setUint16(at + QUEUE.taken, place.taken, true);
    this.state.setUint16(at + QUEUE.returned, place.returned, true);
  }

  #place(at: number): QueuePlace {
    const address = (field: number) => Number(this.state.getBigUint64(at + field, true));
    return {
      size: this.state.getUint16(at + QUEUE.size, true),
      descriptors: address(QUEUE.descriptors),
      driverArea: address(QUEUE.driver),
      deviceArea: address(QUEUE.device),
      taken: this.state.getUint16(at + QUEUE.taken, true),
      returned: this.state.getUint16(at + QUEUE.returned, true),
    };
  }

  /** Bit 0 of the ISR tells of a queue, bit 1 of the configuration. */
  #interrupt(bits: number): void {
    this.state.setUint8(AT.isr, this.state.getUint8(AT.isr) | bits);
    this.host.setIrq(this.device.irq, true);
  }
}
