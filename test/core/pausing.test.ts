import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { probeHost } from '../../hypervisor-core/machine/host-probe.ts';
import { debugStrategy } from '../../hypervisor-core/machine/strategy.ts';
import { INC_EAX, jumpBack, loop } from './run-control-kit.ts';
import { CODE, DATA, withSession } from './tiny-guest.ts';

describe('pausing and ending', () => {
  test('a spinning guest pauses, stays, and goes on', () =>
    // inc dword [rdi]; jmp back
    withSession({ code: [0xff, 0x07, ...jumpBack(2)] }, async (session) => {
      const count = () => Buffer.from(session.machine.memory.read(DATA, 4)).readUInt32LE();
      for (let turn = 0; turn < 20; turn++) {
        const before = count();
        const stopped = session.go();
        while (count() === before) await nextTurn();
        session.machine.interrupt();
        assert.deepEqual(await stopped, { kind: 'pause' });
        const after = count();
        await nextTurn();
        assert.equal(count(), after);
      }
    }));

  test('a halted guest pauses', () =>
    // out 0xe9, al; hlt; jmp back
    withSession({ code: [0xe6, 0xe9, 0xf4, ...jumpBack(1)] }, async (session) => {
      const said = new Promise((resolve) => session.machine.console.onOutput(resolve));
      const stopped = session.go();
      await said;
      session.machine.interrupt();
      assert.deepEqual(await stopped, { kind: 'pause' });
    }));

  test('registers of a running vCPU are refused', () =>
    withSession({ code: [...INC_EAX, ...jumpBack(2)] }, async (session) => {
      const stopped = session.go();
      assert.throws(() => session.vcpu.registers.read('rax'), /running/);
      session.machine.interrupt();
      await stopped;
    }));

  test('a triple fault is a stop with its registers, where the host keeps them, and going on ends the guest', () =>
    // inc eax; ud2 without an IDT
    withSession({ code: [...INC_EAX, 0x0f, 0x0b] }, async (session) => {
      const reason = await session.go();
      assert.equal(reason.kind, 'triple-fault');
      const kept = debugStrategy(probeHost()).shutdownKeepsRegisters;
      assert.equal(session.register('rip'), kept ? CODE + BigInt(INC_EAX.length) : 0xfff0n);
      const end = await session.goToEnd();
      assert.equal(end.cause, 'triple-fault');
      assert.equal(session.machine.state.kind, 'ended');
    }));

  test('the debug-exit port gives the exit status', () =>
    // mov al, 0x10; out 0xf4, al
    withSession({ code: [0xb0, 0x10, 0xe6, 0xf4, 0xeb, 0xfe] }, async (session) => {
      const end = await session.goToEnd();
      assert.equal(end.cause, 'debug-exit');
      assert.equal(end.exitStatus, 0x21);
      assert.equal(session.register('rax'), 0x10n);
    }));

  test('kill ends a running guest, and memory stays readable', () =>
    withSession({ code: [...INC_EAX, ...jumpBack(2)] }, async (session) => {
      setTimeout(() => session.machine.kill(), 5);
      const end = await session.goToEnd();
      assert.equal(end.cause, 'killed');
      assert.deepEqual([...session.machine.memory.read(CODE, 2)], INC_EAX);
      assert.throws(() => session.machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]), /ended/);
    }));
});

test('registers can be written and stay', () =>
  withSession(loop, async (session) => {
    session.setRegister('rbx', 0x1122_3344_5566_7788n);
    session.setRegister('rip', CODE + 5n);
    session.vcpu.registers.write(
      'xmm3',
      Uint8Array.from({ length: 16 }, (_, n) => n),
    );
    session.vcpu.registers.write('ds', Uint8Array.of(0x10, 0, 0, 0));
    await session.go({ kind: 'step' });
    assert.equal(session.register('rip'), CODE);
    assert.equal(session.register('rbx'), 0x1122_3344_5566_7788n);
    assert.deepEqual([...session.vcpu.registers.read('xmm3')], [...Array(16).keys()]);
    assert.equal(session.register('cs_attr'), 0xa09bn);
    assert.equal(session.register('ftag'), 0xffffn);
    assert.equal(session.register('cr3'), 0x1000n);
  }));
