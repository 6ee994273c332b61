import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bench } from './bench.ts';
import { fwCfg } from './fw-cfg.ts';

const GIB = 2 ** 30;
const files = [
  { name: 'opt/test/b', bytes: Buffer.from('second') },
  { name: 'opt/test/a', bytes: Buffer.from('first') },
];

function powered() {
  const { device, second } = bench(fwCfg({ memoryBelow4G: 3 * GIB, memoryAbove4G: 5 * GIB, cpus: 6, files }));
  const item = (key: number, length: number) => {
    device.out(0x510, 2, key);
    return Buffer.from(Array.from({ length }, () => device.in(0x511, 1)));
  };
  return { device, second, item };
}

describe('fw_cfg', () => {
  test('signature, identity, sizes and counts', () => {
    const { item } = powered();
    assert.equal(item(0, 4).toString(), 'QEMU');
    assert.deepEqual([...item(1, 4)], [1, 0, 0, 0]);
    assert.equal(item(3, 8).readBigUInt64LE(), BigInt(8 * GIB));
    assert.deepEqual([item(5, 2).readUInt16LE(), item(0x0f, 2).readUInt16LE()], [6, 6]);
  });

  test('lists its files by name, and gives each', () => {
    const { item } = powered();
    const count = item(0x19, 4).readUInt32BE();
    assert.equal(count, 4);
    const directory = item(0x19, 4 + 64 * count);
    const listed = Array.from({ length: count }, (_, index) => {
      const at = 4 + 64 * index;
      const size = directory.readUInt32BE(at);
      const name = directory.toString('latin1', at + 8, directory.indexOf(0, at + 8));
      return { name, bytes: item(directory.readUInt16BE(at + 4), size) };
    });
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['etc/e820', 'etc/sercon-port', 'opt/test/a', 'opt/test/b'],
    );
    assert.equal(listed[2]?.bytes.toString(), 'first');
    const e820 = listed[0]!.bytes;
    assert.equal(e820.length, 40);
    assert.deepEqual([e820.readBigUInt64LE(20), e820.readBigUInt64LE(28)], [BigInt(4 * GIB), BigInt(5 * GIB)]);
  });

  test('zeros come after the end and where nothing is; a new selection starts over', () => {
    const { device, second, item } = powered();
    assert.deepEqual([...item(5, 4)], [6, 0, 0, 0]);
    assert.deepEqual([...item(0x7777, 2)], [0, 0]);
    assert.equal(item(0, 2).toString(), 'QE');
    assert.equal(second.in(0x511, 1), 0x4d, 'another thread goes on where this one was');
    device.out(0x510, 1, 5);
    assert.equal(device.in(0x511, 1), 0x55, 'a byte selects nothing');
  });
});
