import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOOT_PROTOCOLS, parseBootChoice } from './boot-choice.ts';

test('a way to boot is a name, and a flat binary may have an address', () => {
  assert.equal(parseBootChoice('auto'), 'auto');
  for (const protocol of BOOT_PROTOCOLS) assert.deepEqual(parseBootChoice(protocol), { protocol });
  assert.deepEqual(parseBootChoice('flat16@0x8000'), { protocol: 'flat16', address: 0x8000n });
  assert.deepEqual(parseBootChoice('flat64@1048576'), { protocol: 'flat64', address: 0x10_0000n });
  for (const wrong of ['', 'grub', 'flat16@', 'flat16@0x', 'flat16@-1', 'flat8', 'linux@0x1000', 'auto@1', 'FLAT16 ']) {
    assert.equal(parseBootChoice(wrong), undefined, wrong);
  }
});
