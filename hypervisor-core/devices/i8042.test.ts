import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bench } from './bench.ts';
import { i8042 } from './i8042.ts';
import { scanCodes, toSet2 } from './scan-codes.ts';

const DATA = 0x60;
const STATUS = 0x64;

function powered() {
  const parts = bench(i8042);
  const read = (port: number) => parts.device.in(port, 1);
  const write = (port: number, value: number) => parts.device.out(port, 1, value);
  /** What waits at the data port until nothing more does. */
  const drain = () => {
    const bytes: number[] = [];
    while (read(STATUS) & 1) bytes.push(read(DATA));
    return bytes;
  };
  const type = (text: string) => parts.device.type(Buffer.from(text));
  return { ...parts, read, write, drain, type };
}

describe('8042', () => {
  test('answers its tests and keeps its command byte', () => {
    const { read, write, drain } = powered();
    write(STATUS, 0xaa);
    assert.equal(read(STATUS) & 0x09, 0x09, 'a byte is there, the last write was a command');
    assert.deepEqual(drain(), [0x55]);
    write(STATUS, 0x60);
    write(DATA, 0x47);
    assert.equal(read(STATUS) & 0x0c, 0x04);
    write(STATUS, 0x20);
    assert.deepEqual(drain(), [0x47]);
    write(STATUS, 0xad);
    write(STATUS, 0x20);
    assert.deepEqual(drain(), [0x57]);
  });

  test('asks for interrupt 1 once for each byte, and only when enabled', () => {
    const { lines, read, write, drain, type } = powered();
    type('a');
    assert.deepEqual(lines, [[1, true]]);
    assert.equal(read(DATA), 0x1e);
    assert.deepEqual(lines.splice(0), [
      [1, true],
      [1, false],
      [1, true],
    ]);
    assert.equal(read(DATA), 0x9e);
    assert.deepEqual(lines.at(-1), [1, false]);
    write(STATUS, 0x60);
    write(DATA, 0x44);
    lines.splice(0);
    type('b');
    assert.deepEqual(drain(), [0x30, 0xb0]);
    assert.ok(lines.every(([, level]) => !level));
  });

  test('holds the keyboard back while it is disabled', () => {
    const { read, write, drain, type } = powered();
    write(STATUS, 0xad);
    type('x');
    assert.equal(read(STATUS) & 1, 0);
    write(STATUS, 0xae);
    assert.deepEqual(drain(), [0x2d, 0xad]);
  });

  test('the keyboard takes commands and gives its identity', () => {
    const { write, drain, type } = powered();
    write(DATA, 0xf2);
    assert.deepEqual(drain(), [0xfa, 0xab, 0x41]);
    write(DATA, 0xff);
    assert.deepEqual(drain(), [0xfa, 0xaa]);
    write(DATA, 0xed);
    write(DATA, 0x07);
    assert.deepEqual(drain(), [0xfa, 0xfa]);
    write(DATA, 0xf5);
    assert.deepEqual(drain(), [0xfa]);
    assert.equal(type('q'), false);
    write(DATA, 0xf4);
    assert.equal(type('q'), true);
    assert.deepEqual(drain(), [0xfa, 0x10, 0x90]);
    write(DATA, 0x01);
    assert.deepEqual(drain(), [0xfe]);
  });

  test('speaks set 2 when the controller does not translate', () => {
    const { write, drain, type } = powered();
    write(STATUS, 0x60);
    write(DATA, 0x05);
    type('A');
    assert.deepEqual(drain(), [0x12, 0x1c, 0xf0, 0x1c, 0xf0, 0x12]);
  });

  test('a guest that never looks fills the queue and no more', () => {
    const { type, drain } = powered();
    assert.equal(type('x'.repeat(100_000)), false);
    const bytes = drain();
    assert.ok(bytes.length > 200 && bytes.length < 300);
    assert.equal(bytes.at(-1), 0xad, 'no key stays down');
  });
});

describe('scan codes', () => {
  const codes = (text: string) => scanCodes(Buffer.from(text)).flat();

  test('shift, control, return and cursor keys', () => {
    assert.deepEqual(codes('1!'), [0x02, 0x82, 0x2a, 0x02, 0x82, 0xaa]);
    assert.deepEqual(codes('\x03'), [0x1d, 0x2e, 0xae, 0x9d]);
    assert.deepEqual(codes('\r\x7f'), [0x1c, 0x9c, 0x0e, 0x8e]);
    assert.deepEqual(codes('\x1b[A'), [0xe0, 0x48, 0xe0, 0xc8]);
    assert.deepEqual(codes('\x1b'), [0x01, 0x81]);
    assert.deepEqual(codes('\xff'), []);
  });

  test('every printable character has a key of its own', () => {
    const printable = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index));
    assert.equal(new Set(printable.map((character) => codes(character).join())).size, printable.length);
  });

  test('set 2 has the cursor keys behind the same prefix', () => {
    assert.deepEqual(toSet2([0xe0, 0x48, 0xe0, 0xc8]), [0xe0, 0x75, 0xe0, 0xf0, 0x75]);
  });
});
