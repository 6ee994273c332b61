import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msrName } from './msr-names.ts';

test('MSRs go by the manuals’ names', () => {
  assert.equal(msrName(0xc0000082), 'LSTAR');
  assert.equal(msrName(0x4b564d01), 'KVM_SYSTEM_TIME_NEW');
  assert.equal(msrName(0x20f), 'MTRR_PHYSMASK7');
  assert.equal(msrName(0x26f), 'MTRR_FIX4K_F8000');
  assert.equal(msrName(0x12345), 'MSR 0x12345');
});
