/** Debian's kernel to userspace and to its power-off, and what its drivers make of the devices. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { isCpuFeature } from '../../hypervisor-core/protocol/cpu-features.ts';
import { patience } from '../patience.ts';
import { COMMAND_LINE, debian, files, HIDDEN, options, withLinux } from './linux-guest.ts';
import { qemuLog } from './qemu-log.ts';
import { sharedLines } from './serial-log.ts';

const framebuffer = { width: 1024, height: 768 };

describe('Debian’s Linux', { timeout: patience(120_000) }, () => {
  test('reaches userspace, drives the virtio devices and powers off, in the words that it has for them under QEMU', () => {
    const before = readFileSync(files.disk);
    return withLinux(debian, COMMAND_LINE, options, async (guest) => {
      const text = await guest.poweredOff();
      const { said } = guest;
      const says = (line: string) => assert.ok(said.includes(line), `${line}\n${text}`);
      says('processors 1');
      says(`disk of ${before.length / 512} sectors, ${createHash('md5').update(before).digest('hex')}`);
      says('sector 5 reads written');
      assert.deepEqual(readFileSync(files.disk), before);
      says('65536 bytes from virtio_rng.0');
      says('hello on hvc0');
      says('virtio interrupts by MSI 7');
      const flags = said.find((line) => line.startsWith('flags'))?.split(/ +/) ?? [];
      assert.ok(flags.filter(isCpuFeature).length > 30, flags.join(' '));
      assert.deepEqual(
        flags.filter((flag) => HIDDEN.includes(flag)),
        [],
      );
      assert.deepEqual(
        sharedLines(text),
        sharedLines(qemuLog(debian, COMMAND_LINE, { hide: HIDDEN, disk: files.disk })),
      );
    });
  });

  test('runs on four processors, and a pause longer than its watchdogs wait is nothing that it complains about', () =>
    withLinux(debian, `${COMMAND_LINE} guest=wait`, { ...options, cpus: 4, framebuffer }, async (guest) => {
      await guest.printed('guest: waits');
      await guest.pause();
      // Soft lockups are complained about after 20 s, stalls of RCU after 21 s.
      await setTimeout(25_000);
      guest.resume();
      guest.machine.console.input(Buffer.from('you\n'));
      const text = await guest.poweredOff();
      assert.ok(guest.said.includes('processors 4') && guest.said.includes('heard you'), text);
      // What `vesafb` binds to, where a kernel has it: it takes screen_info for a framebuffer of the VESA BIOS.
      assert.ok(guest.said.includes('vesa-framebuffer.0'), text);
      assert.doesNotMatch(text, /lockup|stall|hung|blocked for more|clocksource.*unstable|skewed/i);
    }));
});
