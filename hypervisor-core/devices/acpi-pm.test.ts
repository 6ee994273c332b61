import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { acpiPm } from './acpi-pm.ts';
import { bench } from './bench.ts';

describe('ACPI fixed hardware', () => {
  test('power-off needs SLP_EN, in one write or by its byte', () => {
    for (const port of [0x604, 0xb004]) {
      const { device, ends } = bench(acpiPm);
      device.out(port, 2, 0x1c00);
      assert.equal(ends.length, 0);
      device.out(port, 2, 0x2000);
      assert.deepEqual(
        ends.map(({ cause, exitStatus }) => [cause, exitStatus]),
        [['power-off', 0]],
      );
      device.out(port + 1, 1, 0x20);
      assert.equal(ends.length, 2);
    }
  });

  test('is in ACPI mode, and stays', () => {
    const { device } = bench(acpiPm);
    assert.equal(device.in(0x604, 2), 1);
    device.out(0x604, 2, 0x0400);
    assert.equal(device.in(0x604, 2), 0x0401);
  });

  test('the timer counts at 3.579545 MHz, 24 bits, and tells when its top bit changes', () => {
    let now = 0;
    const { device } = bench(acpiPm, { elapsed: () => now });
    now = 1_000_000;
    assert.equal(device.in(0x608, 4), 3_579_545);
    assert.equal(device.in(0x60a, 1), 3_579_545 >> 16);
    assert.equal(device.in(0x600, 2), 0);
    now = 2_400_000;
    assert.equal(device.in(0x600, 2), 1);
    device.out(0x600, 2, 1);
    assert.equal(device.in(0x600, 2), 0);
    now = 5_000_000;
    assert.equal(device.in(0x608, 4), Math.floor(5 * 3_579_545) % 2 ** 24);
    assert.equal(device.in(0x600, 2), 1);
  });

  test('keeps PM1_EN', () => {
    const { device } = bench(acpiPm);
    device.out(0x602, 2, 0x0121);
    assert.equal(device.in(0x602, 2), 0x0121);
    assert.equal(device.in(0x600, 4), 0x0121_0000);
  });
});
