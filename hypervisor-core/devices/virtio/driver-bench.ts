/** The driver's side of one virtio device, over 64 KiB of RAM, for tests. */
import assert from 'node:assert/strict';
import { bench } from '../bench.ts';
import { pciHost } from '../pci/pci-host.ts';
import type { VirtioDevice, VirtioPort } from './virtio-device.ts';
import { virtioPci } from './virtio-pci.ts';
import type { Registers } from './virtio-registers.ts';

export const BAR = 0xfe00_0000;
export const IRQ = 11;
export const NOTIFY = 0x3000;
export const ISR = 0x1000;
export const CONFIGURATION = 0x2000;
export const TABLE = 0x4000;
export const PENDING = 0x5000;
export const REGISTER = { vector: 0x10, status: 0x14, select: 0x16, size: 0x18, queueVector: 0x1a, enable: 0x1c };
export const TARGET = 0x8000;
const RAM = 0x1_0000;
/** Bits of a descriptor's flags. */
export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;

/** Where the driver puts queue `index`. */
export const rings = (index: number) => ({
  descriptors: 0x1000 + 0x3000 * index,
  available: 0x2000 + 0x3000 * index,
  used: 0x3000 + 0x3000 * index,
});

export interface DescriptorText {
  readonly gpa: number;
  readonly length: number;
  readonly flags?: number;
  readonly next?: number;
}

export function driverBench(device: VirtioDevice) {
  const ram = Buffer.alloc(RAM);
  const memory = {
    read: (gpa: number, length: number) =>
      Uint8Array.from(ram.subarray(Math.min(gpa, RAM), Math.min(gpa + length, RAM))),
    write: (gpa: number, data: Uint8Array) => {
      const fits = data.subarray(0, Math.max(0, Math.min(data.length, RAM - gpa)));
      ram.set(fits, fits.length > 0 ? gpa : 0);
      return fits.length;
    },
  };
  const parts = bench(pciHost([virtioPci(device, { device: 0, irq: IRQ, bar: BAR })]), { memory });
  const access = (offset: number, data: Uint8Array, isWrite: boolean) =>
    assert.equal(parts.device.memory?.({ gpa: BAR + offset, data, write: isWrite }), true);
  const read = (offset: number, size: number) => {
    const data = Buffer.alloc(size);
    access(offset, data, false);
    return data.readUIntLE(0, size);
  };
  const write = (offset: number, size: number, value: number) => {
    const data = Buffer.alloc(size);
    data.writeUIntLE(value, 0, size);
    access(offset, data, true);
  };
  /** Configuration space, 32 bits at a time. */
  const config = (offset: number, value?: number) => {
    parts.device.out(0xcf8, 4, (0x8000_0000 | offset) >>> 0);
    if (value === undefined) return parts.device.in(0xcfc, 4);
    parts.device.out(0xcfc, 4, value);
    return value;
  };
  /** Negotiates VERSION_1 and `features`, puts up the queues, and starts. */
  const start = ({ size = 8, high = 0, queues = device.queues, features = 0 } = {}) => {
    write(REGISTER.status, 1, 3);
    for (const [select, bits] of [features, 1].entries()) {
      write(0x08, 4, select);
      write(0x0c, 4, bits);
    }
    write(REGISTER.status, 1, 0x0b);
    assert.equal(read(REGISTER.status, 1), 0x0b);
    for (let queue = 0; queue < queues; queue++) {
      write(REGISTER.select, 2, queue);
      write(REGISTER.size, 2, size);
      const { descriptors, available, used } = rings(queue);
      for (const [offset, address] of [
        [0x20, descriptors],
        [0x28, available],
        [0x30, used],
      ] as const) {
        write(offset, 4, address);
        write(offset + 4, 4, high);
      }
      write(REGISTER.enable, 2, 1);
    }
    write(REGISTER.status, 1, 0x0f);
  };
  /** Switches MSI-X on with a message for each vector, data 0x40 and up. */
  const startMsix = () => {
    for (let vector = 0; vector <= device.queues; vector++) {
      write(TABLE + 16 * vector, 4, 0xfee0_0000);
      write(TABLE + 16 * vector + 8, 4, 0x40 + vector);
      write(TABLE + 16 * vector + 12, 4, 0);
      if (vector === device.queues) write(REGISTER.vector, 2, vector);
      else {
        write(REGISTER.select, 2, vector);
        write(REGISTER.queueVector, 2, vector);
      }
    }
    config(0x40, config(0x40) | 0x8000_0000);
  };
  const describeAt = (table: number, index: number, { gpa, length, flags = 0, next = 0 }: DescriptorText) => {
    const at = table + 16 * index;
    ram.writeBigUInt64LE(BigInt(gpa), at);
    ram.writeUInt32LE(length, at + 8);
    ram.writeUInt16LE(flags, at + 12);
    ram.writeUInt16LE(next, at + 14);
  };
  const describe = (index: number, descriptor: DescriptorText, queue = 0) =>
    describeAt(rings(queue).descriptors, index, descriptor);
  /** Makes the chain at `head` the `count`-th available one. */
  const offer = (head: number, count: number, { size = 8, queue = 0 } = {}) => {
    const { available } = rings(queue);
    ram.writeUInt16LE(head, available + 4 + 2 * ((count - 1) % size));
    ram.writeUInt16LE(count, available + 2);
  };
  const notify = (queue = 0) => write(NOTIFY + 4 * queue, 2, queue);
  const used = (queue = 0) => {
    const at = rings(queue).used;
    return {
      index: ram.readUInt16LE(at + 2),
      last: (slot: number) => [ram.readUInt32LE(at + 4 + 8 * slot), ram.readUInt32LE(at + 8 + 8 * slot)],
    };
  };
  const port = parts.device.registersOf(device.name) as Registers as VirtioPort;
  return {
    ...parts,
    ram,
    memory,
    read,
    write,
    config,
    start,
    startMsix,
    describe,
    describeAt,
    offer,
    notify,
    used,
    port,
  };
}
