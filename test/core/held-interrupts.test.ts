/** Why an interrupt is not delivered, said of guests that really hold it. `held-interrupts-qemu.test.ts` asks QEMU. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { waitingInterrupts } from '../../hypervisor-core/interrupts/why-held.ts';
import { createMachine } from '../../hypervisor-core/machine/machine.ts';
import type { InterruptState } from '../../hypervisor-core/protocol/inspect.ts';
import { halted } from './halted.ts';
import { buildHeld, type Chips, type HeldInterrupt, heldInterrupts } from './held-interrupts.ts';
import { lacks } from './run-control-kit.ts';

async function onKvm(guest: HeldInterrupt) {
  const boot = { name: 'guest', file: buildHeld(guest).image, commandLine: '' };
  const machine = await createMachine({ boot, memory: 16 << 20, cpus: 1 });
  try {
    const interrupts = await halted(machine);
    const flags = machine.vcpus[0]?.registers.read('eflags') ?? new Uint8Array(4);
    return { interrupts, interruptsEnabled: ((flags[1] ?? 0) & 2) !== 0 };
  } finally {
    await machine.close();
  }
}

function chipsOf({ lapic, ioapic, pic: [master] }: InterruptState, { pic, pin }: Chips): Chips {
  const entry = pin && ioapic?.pins[pin.pin];
  return {
    irr: lapic?.irr ?? [],
    isr: lapic?.isr ?? [],
    tpr: lapic?.tpr ?? -1,
    ...(pic && master
      ? { pic: { ir0: master.irr & 1, isr: master.isr, imr: master.imr, vectorBase: master.vectorBase } }
      : {}),
    ...(entry ? { pin: { pin: entry.pin, raw: Number(BigInt(entry.raw) & 0xffff_ffffn) } } : {}),
  };
}

/** A local APIC that has no interrupt in service lets the next one of the same class through to the vCPU. */
const endedAtOnce = (guest: HeldInterrupt): HeldInterrupt => ({
  ...guest,
  ...{ link: 'RFLAGS.IF', text: /interrupts are off/, chips: { ...guest.chips, isr: [] } },
});
const expectedHere = (guest: HeldInterrupt) =>
  guest.chips.isr.length > 0 && lacks('interrupts-in-service') ? endedAtOnce(guest) : guest;

describe('held interrupts', { skip: !existsSync('/dev/kvm') && 'no /dev/kvm', timeout: 240_000 }, () => {
  for (const guest of heldInterrupts.map(expectedHere)) {
    test(guest.reason, async () => {
      const { interrupts, interruptsEnabled } = await onKvm(guest);
      const lapics = interrupts.lapic ? [interrupts.lapic] : [];
      const waiting = waitingInterrupts({ interrupts, interruptsEnabled, lapics });
      const found = waiting.find(({ source, links }) => source === guest.source && links.at(-1)?.name === guest.link);
      assert.ok(found, JSON.stringify(waiting, undefined, 1));
      assert.equal(found.links.at(-1)?.holds, true);
      assert.match(found.links.at(-1)?.text ?? '', guest.text);

      assert.deepEqual(chipsOf(interrupts, guest.chips), guest.chips);
    });
  }
});
