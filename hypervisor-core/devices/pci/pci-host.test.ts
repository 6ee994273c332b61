import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bench } from '../bench.ts';
import { hostBridge } from './host-bridge.ts';
import { type PciRegisters, pciFunction } from './pci-function.ts';
import { pciHost } from './pci-host.ts';

const registers: PciRegisters = {
  bar: 4,
  size: 0x4000,
  stateBytes: 4,
  reset: (state) => state.setUint32(0, 0x1234_5678, true),
  attach: (state) => ({
    read: (offset, size) => (offset === 8 ? state.getUint32(0, true) % 2 ** (8 * size) : offset),
    write: (_offset, _size, value) => state.setUint32(0, value, true),
  }),
  describe: (state) => [{ name: 'value', value: `0x${state.getUint32(0, true).toString(16)}` }],
};
const card = pciFunction('card', {
  vendor: 0x1af4,
  device: 0x1044,
  classCode: 0xff_00_00,
  memory: { at: 0xe000_0000, registers },
});

const wired = pciFunction('wired', { vendor: 0x1af4, device: 0x1044, classCode: 0xff_00_00, interruptLine: 5 });

function powered(functions = [hostBridge, card]) {
  const parts = bench(pciHost(functions));
  const { device } = parts;
  const select = (slot: number, offset: number, bus = 0) =>
    device.out(0xcf8, 4, (0x8000_0000 | (bus << 16) | (slot << 11) | (offset & 0xfc)) >>> 0);
  const read = (slot: number, offset: number, size = 4) => {
    select(slot, offset);
    return device.in(0xcfc + (offset & 3), size);
  };
  const write = (slot: number, offset: number, size: number, value: number) => {
    select(slot, offset);
    device.out(0xcfc + (offset & 3), size, value);
  };
  return { ...parts, select, read, write };
}

describe('PCI configuration mechanism 1', () => {
  test('finds what is there, by any size, and nothing else', () => {
    const { device, select, read } = powered();
    assert.equal(read(0, 0), 0x1237_8086);
    assert.deepEqual([read(0, 0, 2), read(0, 2, 2), read(0, 3, 1)], [0x8086, 0x1237, 0x12]);
    assert.equal(read(0, 8), 0x0600_0002);
    assert.equal(read(1, 0), 0x1044_1af4);
    const absent = Array.from({ length: 30 }, (_, slot) => read(slot + 2, 0));
    assert.ok(absent.every((value) => value === 0xffff_ffff));
    select(0, 0, 1);
    assert.equal(device.in(0xcfc, 4), 0xffff_ffff, 'no second bus');
    device.out(0xcf8, 4, 0x8000_0100);
    assert.equal(device.in(0xcfc, 4), 0xffff_ffff, 'no second function');
    device.out(0xcf8, 4, 0x0000_0000);
    assert.equal(device.in(0xcfc, 4), 0xffff_ffff, 'not enabled');
  });

  test('keeps the address, which is written whole', () => {
    const { device } = powered();
    device.out(0xcf8, 4, 0xffff_ffff);
    assert.equal(device.in(0xcf8, 4), 0x80ff_fffc);
    device.out(0xcf8, 1, 0x00);
    assert.equal(device.in(0xcf8, 4), 0x80ff_fffc);
  });

  test('a BAR tells its size and moves; identity and absent BARs are fixed', () => {
    const { read, write } = powered();
    assert.equal(read(1, 0x20), 0xe000_0000);
    write(1, 0x20, 4, 0xffff_ffff);
    assert.equal(read(1, 0x20), 0xffff_c000);
    write(1, 0x20, 4, 0xfe12_3456);
    assert.equal(read(1, 0x20), 0xfe12_0000);
    for (const offset of [0x00, 0x08, 0x10, 0x24, 0x30, 0x34]) {
      const before = read(1, offset);
      write(1, offset, 4, 0xffff_ffff);
      assert.equal(read(1, offset), before, `offset ${offset}`);
    }
    write(1, 0x04, 2, 0xffff);
    assert.equal(read(1, 0x04, 2), 0x0407);
    write(1, 0x3c, 1, 11);
    assert.equal(read(1, 0x3c, 2), 11);
  });

  test('a function tells where its pin is wired to, whatever is written there', () => {
    const { read, write } = powered([wired]);
    write(0, 0x3c, 2, 0x030b);
    assert.equal(read(0, 0x3c, 2), 0x0105);
  });

  test('registers follow their BAR, and are gone while memory decoding is off', () => {
    const { device, write } = powered();
    const at = (gpa: number, length = 4) => {
      const data = new Uint8Array(length);
      return device.memory?.({ gpa, data, write: false }) ? Buffer.from(data) : undefined;
    };
    assert.equal(at(0xe000_0008)?.readUInt32LE(), 0x1234_5678);
    assert.equal(at(0xe000_0008, 2)?.readUInt16LE(), 0x5678);
    assert.deepEqual([at(0xe000_0010, 8)?.readUInt32LE(0), at(0xe000_0010, 8)?.readUInt32LE(4)], [0x10, 0x14]);
    assert.deepEqual([at(0xdfff_ffff), at(0xe000_3ffe)], [undefined, undefined]);
    write(1, 0x20, 4, 0xfe12_3456);
    assert.equal(at(0xe000_0008), undefined);
    device.memory?.({ gpa: 0xfe12_0000, data: Uint8Array.of(4, 3, 2, 0xf1), write: true });
    assert.equal(at(0xfe12_0008)?.readUInt32LE(), 0xf102_0304);
    write(1, 0x04, 2, 0);
    assert.equal(at(0xfe12_0008), undefined);
  });

  test('no access, of any size anywhere, throws or changes what is fixed', () => {
    const access = fc.record({
      port: fc.integer({ min: 0xcf8, max: 0xcff }),
      size: fc.constantFrom(1, 2, 4),
      value: fc.oneof(
        fc.nat(0xffff_ffff),
        fc.nat(0xfff).map((low) => (0x8000_0000 | low) >>> 0),
      ),
      write: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 80 }), (accesses) => {
        const { device, read } = powered();
        for (const { port, size, value, write } of accesses) {
          if (write) device.out(port, size, value);
          else assert.ok(device.in(port, size) >>> 0 <= 0xffff_ffff);
        }
        assert.deepEqual([read(0, 0), read(1, 0), read(1, 0x20) & 0x3fff], [0x1237_8086, 0x1044_1af4, 0]);
      }),
    );
  });
});
