/** Interrupts that the debugger sends: each goes the way of the guest's own, to the handler or to what holds it. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { lacks } from './run-control-kit.ts';
import { CODE, HANDLER, imm32, type Session, withSession } from './tiny-guest.ts';

const VECTOR = 0x30;
const NMI_VECTOR = 2;
/** `cli`, then for ever `pause`. */
const spins = [0xfa, 0xf3, 0x90, 0xeb, 0xfc];
/** The local APIC is enabled: bit 8 of its spurious-interrupt register. `mov dword [0xfee000f0], 0x1ff`, by way of RAX. */
const enablesApic = [0xb8, ...imm32(0xfee000f0), 0xc7, 0x00, ...imm32(0x1ff)];
const sti = [0xfb];

/** Lets the guest run to its loop, or once round it. */
async function spun(session: Session, loop: bigint): Promise<void> {
  session.machine.insertBreakpoint('software', loop, 1);
  assert.equal((await session.go()).kind, 'breakpoint');
  assert.equal(session.register('rip'), loop);
  session.machine.removeBreakpoint('software', loop, 1);
}

describe('injected interrupts', { skip: !existsSync('/dev/kvm') && 'no /dev/kvm', timeout: 120_000 }, () => {
  const vectors = [VECTOR, NMI_VECTOR];

  test('an interrupt waits in the IRR and is taken when interrupts are on', async () => {
    await withSession({ code: [...enablesApic, ...spins], vectors }, async (session) => {
      const { machine, vcpu } = session;
      const loop = CODE + BigInt(enablesApic.length + 1);
      await spun(session, loop);
      vcpu.inject(VECTOR);
      assert.deepEqual(vcpu.interrupts().lapic?.irr, [VECTOR]);
      // Interrupts are off.
      await spun(session, loop);
      assert.deepEqual(vcpu.interrupts().lapic?.irr, [VECTOR]);
      machine.insertBreakpoint('software', HANDLER, 1);
      vcpu.registers.write('eflags', Uint8Array.of(...imm32(session.register('eflags') | 0x200n)));
      assert.equal((await session.go()).kind, 'breakpoint');
      assert.equal(session.register('rip'), HANDLER);
      const inService = lacks('interrupts-in-service') ? [] : [VECTOR];
      assert.deepEqual([vcpu.interrupts().lapic?.irr, vcpu.interrupts().lapic?.isr], [[], inService]);
    });
  });

  test('an NMI is taken with interrupts off', async () => {
    await withSession({ code: spins, vectors }, async (session) => {
      await spun(session, CODE + 1n);
      session.vcpu.inject();
      assert.equal(session.vcpu.interrupts().pending.nmi.pending, true);
      session.machine.insertBreakpoint('software', HANDLER, 1);
      assert.equal((await session.go()).kind, 'breakpoint');
      assert.equal(session.register('rip'), HANDLER);
    });
  });

  test('a local APIC that the guest has not enabled is said to take none', async () => {
    await withSession({ code: [...sti, ...spins.slice(1)], vectors }, async (session) => {
      assert.throws(() => session.vcpu.inject(VECTOR), /vCPU 0 takes no interrupts: the guest has not enabled it/);
      assert.equal(session.register('rip'), CODE);
    });
  });
});
