import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instructionText } from './instruction-text.ts';

test('names the first instruction of some bytes, in the mode they are for', () => {
  assert.equal(instructionText(Uint8Array.of(0xdf, 0xe0, 0x90), 64), 'fnstsw ax');
  assert.equal(instructionText(Uint8Array.of(0xb8, 1, 0, 0, 0), 32), 'mov eax,1');
  assert.equal(instructionText(Uint8Array.of(0xb8, 1, 0, 0, 0), 16), 'mov ax,1');
});

test('names nothing where there is no instruction', () => {
  assert.equal(instructionText(new Uint8Array(0), 64), undefined);
  assert.equal(instructionText(Uint8Array.of(0x06), 64), undefined);
});
