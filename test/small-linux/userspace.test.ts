/** The small Linux to userspace and to its power-off, by each way in and on several processors. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { COMMAND_LINE, cpu, HIDDEN, smallLinux, withLinux } from '../linux/linux-guest.ts';
import { qemuLog } from '../linux/qemu-log.ts';
import { sharedLines } from '../linux/serial-log.ts';
import { patience } from '../patience.ts';

const { bzImage, vmlinux, pvh } = smallLinux;

/** `peer`: as what QEMU boots the same kernel; it has no 64-bit entry for a vmlinux. */
const ways = [
  { name: 'a bzImage', kernel: bzImage, peer: bzImage },
  { name: 'a vmlinux by the Linux boot protocol', kernel: vmlinux, peer: bzImage },
  { name: 'a vmlinux by PVH', kernel: pvh, peer: pvh },
];

describe('the small Linux', { timeout: patience(120_000) }, () => {
  for (const cpus of [1, 2, 4]) {
    const logs = new Map<string, readonly string[]>();
    const underQemu = ({ kernel, initramfs }: typeof bzImage) => {
      const known = logs.get(kernel);
      if (known) return known;
      const lines = sharedLines(qemuLog({ kernel, initramfs }, COMMAND_LINE, { hide: HIDDEN, cpus }));
      logs.set(kernel, lines);
      return lines;
    };
    for (const { name, kernel, peer } of ways) {
      test(`as ${name} on ${cpus} vCPUs reaches userspace, in the words that it has under QEMU`, () =>
        withLinux(kernel, COMMAND_LINE, { cpus, cpu }, async (guest) => {
          const text = await guest.poweredOff();
          assert.ok(guest.said.includes(`processors ${cpus}`), text);
          assert.deepEqual(sharedLines(text), underQemu(peer));
        }));
    }
  }
});
