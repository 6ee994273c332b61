import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bench } from './bench.ts';
import { pciHost } from './pci-host.ts';
import { virtioRng } from './virtio-rng.ts';

const BAR = 0xfe00_0000;
const IRQ = 11;
const NOTIFY = 0x3000;
const ISR = 0x1000;
const [STATUS, SELECT, SIZE, ENABLE] = [0x14, 0x16, 0x18, 0x1c];
const DESCRIPTORS = 0x1000;
const AVAILABLE = 0x2000;
const USED = 0x3000;
const TARGET = 0x8000;
const RAM = 0x10000;

/** The driver's side of one device, over 64 KiB of RAM. */
function powered() {
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
  const parts = bench(pciHost([virtioRng({ irq: IRQ, bar: BAR })]), { memory });
  const access = (offset: number, data: Uint8Array, write: boolean) =>
    assert.equal(parts.device.memory?.({ gpa: BAR + offset, data, write }), true);
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
  const start = (size = 8, high = 0) => {
    write(STATUS, 1, 3);
    write(0x08, 4, 1);
    write(0x0c, 4, 1);
    write(STATUS, 1, 0x0b);
    write(SELECT, 2, 0);
    write(SIZE, 2, size);
    for (const [offset, address] of [
      [0x20, DESCRIPTORS],
      [0x28, AVAILABLE],
      [0x30, USED],
    ] as const) {
      write(offset, 4, address);
      write(offset + 4, 4, high);
    }
    write(ENABLE, 2, 1);
    write(STATUS, 1, 0x0f);
  };
  const describeBuffer = (index: number, gpa: number, length: number, flags: number, next = 0) => {
    const at = DESCRIPTORS + 16 * index;
    ram.writeBigUInt64LE(BigInt(gpa), at);
    ram.writeUInt32LE(length, at + 8);
    ram.writeUInt16LE(flags, at + 12);
    ram.writeUInt16LE(next, at + 14);
  };
  /** Makes the chain at `head` the `count`-th available one. */
  const offer = (head: number, count: number, size = 8) => {
    ram.writeUInt16LE(head, AVAILABLE + 4 + 2 * ((count - 1) % size));
    ram.writeUInt16LE(count, AVAILABLE + 2);
  };
  const used = () => ({
    index: ram.readUInt16LE(USED + 2),
    last: (at: number) => [ram.readUInt32LE(USED + 4 + 8 * at), ram.readUInt32LE(USED + 8 + 8 * at)],
  });
  return { ...parts, ram, read, write, start, describeBuffer, offer, used };
}

describe('virtio-rng', () => {
  test('is a modern virtio device with its structures in the BAR', () => {
    const { device, read } = powered();
    const config = (offset: number) => {
      device.out(0xcf8, 4, (0x8000_0000 | offset) >>> 0);
      return device.in(0xcfc, 4);
    };
    assert.equal(config(0), 0x1044_1af4);
    const found = new Map<number, number>();
    for (let at = config(0x34) & 0xff; at !== 0; at = (config(at) >>> 8) & 0xff) {
      assert.equal(config(at) & 0xff, 0x09);
      found.set(config(at) >>> 24, config(at + 8));
    }
    assert.deepEqual(
      [...found],
      [
        [1, 0],
        [3, ISR],
        [2, NOTIFY],
      ],
    );
    assert.deepEqual([read(0x12, 2), read(SIZE, 2), read(0x1a, 2), read(0x15, 1)], [1, 256, 0xffff, 0]);
  });

  test('wants VERSION_1 and nothing that it did not offer', () => {
    const { read, write } = powered();
    write(0x00, 4, 1);
    assert.equal(read(0x04, 4), 1);
    write(0x00, 4, 0);
    assert.equal(read(0x04, 4), 0);
    write(STATUS, 1, 0x0b);
    assert.equal(read(STATUS, 1), 0x03, 'FEATURES_OK is refused');
    write(0x08, 4, 1);
    write(0x0c, 4, 1);
    write(STATUS, 1, 0x0b);
    assert.equal(read(STATUS, 1), 0x0b);
  });

  test('fills buffers, gives them back and interrupts until the ISR is read', () => {
    const { ram, lines, read, write, start, describeBuffer, offer, used } = powered();
    start();
    describeBuffer(2, TARGET, 16, 2 | 1, 5);
    describeBuffer(5, TARGET + 0x100, 48, 2);
    offer(2, 1);
    write(NOTIFY, 2, 0);
    assert.equal(used().index, 1);
    assert.deepEqual(used().last(0), [2, 64]);
    assert.ok(ram.subarray(TARGET + 0x100, TARGET + 0x130).some((byte) => byte !== 0));
    assert.deepEqual(lines.splice(0), [[IRQ, true]]);
    assert.equal(read(ISR, 1), 1);
    assert.deepEqual([lines.splice(0), read(ISR, 1)], [[[IRQ, false]], 0]);
    ram.writeUInt16LE(1, AVAILABLE);
    offer(5, 2);
    write(NOTIFY, 2, 0);
    assert.equal(used().index, 2);
    assert.deepEqual(lines, [], 'the driver asked for none');
  });

  test('a long request is answered in part, and rings wrap', () => {
    const { start, write, describeBuffer, offer, used } = powered();
    start();
    describeBuffer(0, TARGET, 0xffff_ffff, 2);
    for (let count = 1; count <= 20; count++) {
      offer(0, count);
      write(NOTIFY, 2, 0);
      assert.equal(used().index, count);
      assert.deepEqual(used().last((count - 1) % 8), [0, 4096]);
    }
  });

  test('a broken ring stops the device until it is reset', () => {
    type Rig = ReturnType<typeof powered>;
    const breakers: readonly ((rig: Rig) => void)[] = [
      ({ describeBuffer, offer }) => {
        describeBuffer(0, TARGET, 4, 1 | 2, 0);
        offer(0, 1);
      },
      ({ offer }) => offer(9, 1),
      ({ ram }) => ram.writeUInt16LE(1000, AVAILABLE + 2),
    ];
    for (const breaker of breakers) {
      const rig = powered();
      rig.start();
      breaker(rig);
      rig.write(NOTIFY, 2, 0);
      assert.equal(rig.read(STATUS, 1), 0x4f);
      assert.equal(rig.read(ISR, 1), 2);
      rig.write(NOTIFY, 2, 0);
      assert.equal(rig.read(STATUS, 1), 0x4f);
      rig.write(STATUS, 1, 0);
      assert.deepEqual([rig.read(STATUS, 1), rig.read(ENABLE, 2)], [0, 0]);
    }
  });

  test('a ring outside memory breaks, and is no error of ours', () => {
    const { read, write, start } = powered();
    start(8, 0xffff_ffff);
    write(NOTIFY, 2, 0);
    assert.equal(read(STATUS, 1), 0x4f);
  });

  test('no access and no ring, whatever they hold, hangs or throws', () => {
    const step = fc.record({
      offset: fc.oneof(
        fc.nat(0x3f),
        fc.nat(0x3fff).map((at) => at & ~3),
        fc.constant(NOTIFY),
      ),
      size: fc.constantFrom(1, 2, 4, 8),
      value: fc.nat(0xffff_ffff),
      write: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.nat(255)),
        fc.boolean(),
        (steps, bytes, on) => {
          const { ram, device, start, write } = powered();
          if (on) start();
          for (let at = DESCRIPTORS; at < DESCRIPTORS + 0x80; at++) ram[at] = bytes.next().value;
          for (let at = AVAILABLE; at < AVAILABLE + 0x20; at++) ram[at] = bytes.next().value & 0x07;
          write(NOTIFY, 2, 0);
          for (const { offset, size, value, write: isWrite } of steps) {
            const data = Buffer.alloc(size);
            data.writeUIntLE(value % 2 ** (8 * Math.min(size, 4)), 0, Math.min(size, 4));
            device.memory?.({ gpa: BAR + offset, data, write: isWrite });
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
