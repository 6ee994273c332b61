import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessText } from './page-fault-text.ts';

test('error codes of page faults, Intel SDM vol. 3A figure 4-12', () => {
  assert.equal(accessText(0x10n, 0n), 'Supervisor read at 0x10: no page is present.');
  assert.equal(accessText(0x10n, 7n), 'User write at 0x10: the page forbids it.');
  assert.equal(accessText(0x10n, 0x11n), 'Supervisor instruction fetch at 0x10: the page forbids it.');
  assert.equal(accessText(0x10n, 0xbn), 'Supervisor write at 0x10: a reserved bit is set.');
});
