import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hex, parseHex } from './hex.ts';

test('hex keeps all 64 bits and wraps negatives', () => {
  assert.equal(hex(0xffff_ffff_8000_0000n), '0xffffffff80000000');
  assert.equal(hex(-1n), '0xffffffffffffffff');
  assert.equal(parseHex(hex(0x1234_5678_9abc_def0n)), 0x1234_5678_9abc_def0n);
});

test('parseHex refuses what is not a number', () => {
  for (const bad of ['', '0x', '12', '0xg', '0x12345678901234567', '-0x1'])
    assert.throws(() => parseHex(bad), RangeError);
});
