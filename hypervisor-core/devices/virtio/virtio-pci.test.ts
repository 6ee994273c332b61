/** The transport and its rings, with the entropy device behind them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  BAR,
  driverBench,
  INDIRECT,
  IRQ,
  ISR,
  NEXT,
  NOTIFY,
  PENDING,
  REGISTER,
  rings,
  TABLE,
  TARGET,
  WRITE,
} from './driver-bench.ts';
import { virtioBlk } from './virtio-blk.ts';
import { virtioConsole } from './virtio-console.ts';
import { virtioRng } from './virtio-rng.ts';

const powered = () => driverBench(virtioRng);
const indirectDesc = 1 << 28;

describe('virtio over PCI', () => {
  test('is a modern device with its structures in the BAR, and with MSI-X', () => {
    const { config, read } = powered();
    assert.equal(config(0), 0x1044_1af4);
    const found = new Map<number, number>();
    for (let at = config(0x34) & 0xff; at !== 0; at = (config(at) >>> 8) & 0xff) {
      const id = config(at) & 0xff;
      if (id === 0x11) {
        assert.equal(config(at) >>> 16, 1, 'two vectors, switched off');
        assert.deepEqual([config(at + 4), config(at + 8)], [TABLE | 4, PENDING | 4]);
      } else {
        assert.equal(id, 0x09);
        found.set(config(at) >>> 24, config(at + 8));
      }
    }
    assert.deepEqual(
      [...found],
      [
        [1, 0],
        [3, ISR],
        [2, NOTIFY],
      ],
    );
    assert.deepEqual([read(0x12, 2), read(REGISTER.size, 2), read(0x1a, 2), read(0x15, 1)], [1, 256, 0xffff, 0]);
  });

  test('wants VERSION_1 and nothing that it did not offer', () => {
    const { read, write } = powered();
    write(0x00, 4, 1);
    assert.equal(read(0x04, 4), 1);
    write(0x00, 4, 0);
    assert.equal(read(0x04, 4), indirectDesc);
    write(REGISTER.status, 1, 0x0b);
    assert.equal(read(REGISTER.status, 1), 0x03, 'FEATURES_OK is refused');
    write(0x08, 4, 1);
    write(0x0c, 4, 1);
    write(REGISTER.status, 1, 0x0b);
    assert.equal(read(REGISTER.status, 1), 0x0b);
  });

  test('fills buffers, gives them back and interrupts until the ISR is read', () => {
    const { ram, lines, read, start, describe, offer, notify, used } = powered();
    start();
    describe(2, { gpa: TARGET, length: 16, flags: WRITE | NEXT, next: 5 });
    describe(5, { gpa: TARGET + 0x100, length: 48, flags: WRITE });
    offer(2, 1);
    notify();
    assert.equal(used().index, 1);
    assert.deepEqual(used().last(0), [2, 64]);
    assert.ok(ram.subarray(TARGET + 0x100, TARGET + 0x130).some((byte) => byte !== 0));
    assert.deepEqual(lines.splice(0), [[IRQ, true]]);
    assert.equal(read(ISR, 1), 1);
    assert.deepEqual([lines.splice(0), read(ISR, 1)], [[[IRQ, false]], 0]);
    ram.writeUInt16LE(1, rings(0).available);
    offer(5, 2);
    notify();
    assert.equal(used().index, 2);
    assert.deepEqual(lines, [], 'the driver asked for none');
  });

  test('does not drive a line that the command register has switched off', () => {
    const { lines, config, start, describe, offer, notify } = powered();
    start();
    config(0x04, 0x402);
    describe(0, { gpa: TARGET, length: 4, flags: WRITE });
    offer(0, 1);
    notify();
    assert.deepEqual(lines, []);
    config(0x04, 0x002);
    assert.deepEqual(lines, [[IRQ, true]]);
  });

  test('sends messages where MSI-X is on, and keeps those that are masked', () => {
    const { lines, messages, tables, read, write, config, start, startMsix, describe, offer, notify } = powered();
    start();
    startMsix();
    describe(0, { gpa: TARGET, length: 4, flags: WRITE });
    const give = (count: number) => {
      offer(0, count);
      notify();
      return messages.splice(0);
    };
    assert.deepEqual(give(1), [[0xfee0_0000n, 0x40]]);
    assert.deepEqual([lines, read(ISR, 1)], [[], 0]);
    write(TABLE + 12, 4, 1);
    assert.deepEqual([give(2), give(3), read(PENDING, 4)], [[], [], 1]);
    write(TABLE + 12, 4, 0);
    assert.deepEqual([messages.splice(0), read(PENDING, 4)], [[[0xfee0_0000n, 0x40]], 0]);
    config(0x40, config(0x40) | 0x4000_0000);
    assert.deepEqual([give(4), read(PENDING, 4)], [[], 1]);
    config(0x40, config(0x40) & ~0x4000_0000);
    assert.deepEqual(messages.splice(0), [[0xfee0_0000n, 0x40]]);
    offer(9, 5);
    notify();
    assert.deepEqual(messages.splice(0), [[0xfee0_0000n, 0x41]], 'a broken ring is told by the other vector');
    const shown = tables();
    assert.deepEqual(
      shown.map(({ device, index, address, data, sent }) => [device, index, address, data, sent]),
      [
        ['virtio-rng', 0, '0xfee00000', 0x40, 3],
        ['virtio-rng', 1, '0xfee00000', 0x41, 1],
      ],
    );
    assert.deepEqual(shown[0]?.last, { time: 0, address: '0xfee00000', data: 0x40, taken: true });
    write(REGISTER.queueVector, 2, 7);
    assert.equal(read(REGISTER.queueVector, 2), 0xffff, 'there is no vector 7');
  });

  test('a long request is answered in part, and rings wrap', () => {
    const { start, describe, offer, notify, used } = powered();
    start();
    describe(0, { gpa: TARGET, length: 0xffff_ffff, flags: WRITE });
    for (let count = 1; count <= 20; count++) {
      offer(0, count);
      notify();
      assert.equal(used().index, count);
      assert.deepEqual(used().last((count - 1) % 8), [0, 4096]);
    }
  });

  test('follows an indirect table, and no table in a table', () => {
    const { read, start, describe, describeAt, offer, notify, used } = powered();
    start({ features: indirectDesc });
    describe(3, { gpa: 0x7000, length: 32, flags: INDIRECT });
    describeAt(0x7000, 0, { gpa: TARGET, length: 8, flags: WRITE | NEXT, next: 1 });
    describeAt(0x7000, 1, { gpa: TARGET + 8, length: 8, flags: WRITE });
    offer(3, 1);
    notify();
    assert.deepEqual(used().last(0), [3, 16]);
    describeAt(0x7000, 1, { gpa: 0x7000, length: 32, flags: INDIRECT });
    offer(3, 2);
    notify();
    assert.equal(read(REGISTER.status, 1), 0x4f);
  });

  test('a broken ring stops the device until it is reset', () => {
    type Rig = ReturnType<typeof powered>;
    const breakers: readonly ((rig: Rig) => void)[] = [
      ({ describe, offer }) => {
        describe(0, { gpa: TARGET, length: 4, flags: NEXT | WRITE });
        offer(0, 1);
      },
      ({ describe, offer }) => {
        describe(0, { gpa: TARGET, length: 4, flags: NEXT | WRITE, next: 1 });
        describe(1, { gpa: TARGET, length: 4 });
        offer(0, 1);
      },
      ({ describe, offer }) => {
        describe(0, { gpa: TARGET, length: 7, flags: INDIRECT });
        offer(0, 1);
      },
      ({ offer }) => offer(9, 1),
      ({ ram }) => ram.writeUInt16LE(1000, rings(0).available + 2),
    ];
    for (const breaker of breakers) {
      const rig = powered();
      rig.start();
      breaker(rig);
      rig.notify();
      assert.equal(rig.read(REGISTER.status, 1), 0x4f);
      assert.equal(rig.read(ISR, 1), 2);
      rig.notify();
      assert.equal(rig.read(REGISTER.status, 1), 0x4f);
      rig.write(REGISTER.status, 1, 0);
      assert.deepEqual([rig.read(REGISTER.status, 1), rig.read(REGISTER.enable, 2)], [0, 0]);
    }
  });

  test('a ring outside memory breaks, and is no error of ours', () => {
    const { read, notify, start } = powered();
    start({ high: 0xffff_ffff });
    notify();
    assert.equal(read(REGISTER.status, 1), 0x4f);
  });

  for (const device of [virtioRng, virtioConsole, virtioBlk(100)]) {
    test(`${device.name}: no access and no ring, whatever they hold, hangs or throws`, () => {
      const step = fc.record({
        offset: fc.oneof(
          fc.nat(0x3f),
          fc.nat(0x7fff).map((at) => at & ~3),
          fc.constantFrom(NOTIFY, NOTIFY + 4),
        ),
        size: fc.constantFrom(1, 2, 4, 8),
        value: fc.nat(0xffff_ffff),
        write: fc.boolean(),
      });
      const space = fc.record({ offset: fc.nat(0xff).map((at) => at & ~3), value: fc.nat(0xffff_ffff) });
      fc.assert(
        fc.property(
          fc.array(fc.oneof(step, space), { maxLength: 40 }),
          fc.infiniteStream(fc.nat(255)),
          fc.boolean(),
          (steps, bytes, on) => {
            const { ram, device: host, config, start, notify } = driverBench(device);
            if (on) start();
            for (let queue = 0; queue < device.queues; queue++) {
              const { descriptors, available } = rings(queue);
              for (let at = descriptors; at < descriptors + 0x80; at++) ram[at] = bytes.next().value;
              for (let at = available; at < available + 0x20; at++) ram[at] = bytes.next().value & 0x07;
              notify(queue);
            }
            for (const one of steps) {
              if (!('size' in one)) {
                config(one.offset, one.value);
                continue;
              }
              const data = Buffer.alloc(one.size);
              data.writeUIntLE(one.value % 2 ** (8 * Math.min(one.size, 4)), 0, Math.min(one.size, 4));
              host.memory?.({ gpa: BAR + one.offset, data, write: one.write });
            }
          },
        ),
        { numRuns: 300 },
      );
    });
  }
});
