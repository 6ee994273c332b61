/** The chips' state of the guests that hold an interrupt, by QEMU's monitor: what the table says of KVM holds there, too. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { patience } from '../patience.ts';
import { buildHeld, type Chips, heldInterrupts } from './held-interrupts.ts';
import { QemuMonitor } from './qemu-monitor.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-held-'));
after(() => rmSync(folder, { recursive: true }));

const listed = (text: string, name: string) =>
  (new RegExp(`^${name}\\s+(.*)$`, 'm').exec(text)?.[1] ?? '').match(/\b\d+\b/g)?.map(Number) ?? [];
const number = (text: string, pattern: RegExp) => Number.parseInt(pattern.exec(text)?.[1] ?? '', 16);

/** `info lapic` and `info pic` in the words of the table. */
function chipsOf(lapic: string, pics: string, { pic, pin }: Chips): Chips {
  const master = /^pic0: (.*)/m.exec(pics)?.[1] ?? '';
  return {
    irr: listed(lapic, 'IRR'),
    isr: listed(lapic, 'ISR'),
    tpr: number(lapic, /TPR 0x([0-9a-f]+)/),
    ...(pic
      ? {
          pic: {
            ir0: number(master, /irr=([0-9a-f]+)/) & 1,
            isr: number(master, /isr=([0-9a-f]+)/),
            imr: number(master, /imr=([0-9a-f]+)/),
            vectorBase: number(master, /irq_base=([0-9a-f]+)/),
          },
        }
      : {}),
    ...(pin
      ? { pin: { pin: pin.pin, raw: number(pics, new RegExp(`pin ${pin.pin}\\s+0x[0-9a-f]{8}([0-9a-f]{8})`)) } }
      : {}),
  };
}

describe('held interrupts in QEMU', () => {
  for (const guest of heldInterrupts) {
    test(guest.reason, { timeout: patience(30_000) }, async () => {
      const kernel = join(folder, 'guest');
      buildHeld(guest).save(kernel);
      const qemu = new QemuMonitor(kernel);
      try {
        await qemu.halted((registers) => /[ER]IP=0*1[0-9a-f]{5}\b/.test(registers));
        const [lapic, pic] = [await qemu.ask('info lapic'), await qemu.ask('info pic')];
        assert.deepEqual(chipsOf(lapic, pic, guest.chips), guest.chips, `${lapic}${pic}`);
      } finally {
        qemu.kill();
      }
    });
  }
});
