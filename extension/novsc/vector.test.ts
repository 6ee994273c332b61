import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseVector } from './vector.ts';

test('vectors are written in decimal, in hexadecimal, or are an NMI', () => {
  assert.deepEqual(['0x20', ' 32 ', '0xFF', '16', 'NMI'].map(parseVector), [32, 32, 255, 16, 'nmi']);
  for (const wrong of ['', '15', '0xf', '256', '0x100', '-20', '2e1', 'int 0x80', '0b10000']) {
    assert.equal(parseVector(wrong), undefined, wrong);
  }
});
