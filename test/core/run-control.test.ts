import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BreakpointError } from '../../hypervisor-core/machine/api.ts';
import { probeHost } from '../../hypervisor-core/machine/host-probe.ts';
import { CODE, DATA, HANDLER, HIGH, imm32, withSession } from './tiny-guest.ts';

const NOP = 0x90;
const INC_EAX = [0xff, 0xc0];
const INC_EBX = [0xff, 0xc3];
const INT3 = 0xcc;
const jumpBack = (bytes: number) => [0xeb, 0x100 - bytes - 2];

/** nop; inc eax; inc ebx; jmp back */
const loop = { code: [NOP, ...INC_EAX, ...INC_EBX, ...jumpBack(5)] };
const answers = new Map(probeHost().facts.map(({ id, answer }) => [id, answer]));
const lacks = (id: string) => answers.get(id) !== 'yes' && `${id} is ${answers.get(id)} on this host`;

describe('software breakpoints', () => {
  test('stop at their address each time, count what ran between, and vanish when removed', () =>
    withSession(loop, async (session) => {
      const at = CODE + 3n;
      session.machine.insertBreakpoint('software', at, 1);
      for (const turn of [1n, 2n, 3n]) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: at, hardware: false });
        assert.equal(session.register('rip'), at);
        assert.equal(session.register('rax'), turn);
        assert.equal(session.register('rbx'), turn - 1n);
      }
      session.machine.removeBreakpoint('software', at, 1);
      session.machine.insertBreakpoint('software', CODE + 1n, 1);
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 1n, hardware: false });
    }));

  test('stop on neighbouring instructions one after the other', () =>
    withSession(loop, async (session) => {
      const addresses = [CODE, CODE + 1n, CODE + 3n, CODE + 5n];
      for (const address of addresses) session.machine.insertBreakpoint('software', address, 1);
      const seen: bigint[] = [];
      // The guest stands on the first one already.
      for (let stop = 0; stop < 8; stop++) {
        const reason = await session.go();
        assert.equal(reason.kind, 'breakpoint');
        seen.push(session.register('rip'));
      }
      assert.deepEqual(seen, [...addresses.slice(1), ...addresses, addresses[0]]);
    }));

  test('are never seen in memory, and writes go under them', () =>
    withSession(loop, async (session) => {
      session.machine.insertBreakpoint('software', CODE + 1n, 1);
      await session.go();
      const original = Uint8Array.from(loop.code);
      assert.deepEqual(session.machine.readVirtual(0, CODE, original.length), original);
      assert.deepEqual(Uint8Array.from(session.machine.memory.read(CODE, original.length)), original);
      // inc eax becomes dec eax; the breakpoint stays.
      assert.equal(session.machine.writeVirtual(0, CODE, Uint8Array.of(NOP, 0xff, 0xc8)), 3);
      const before = session.register('rax');
      assert.equal((await session.go()).kind, 'breakpoint');
      assert.equal(BigInt.asIntN(32, session.register('rax')), BigInt.asIntN(32, before) - 1n);
      assert.deepEqual([...session.machine.readVirtual(0, CODE, 3)], [NOP, 0xff, 0xc8]);
    }));

  test('count how often they were asked for', () =>
    withSession(loop, async (session) => {
      session.machine.insertBreakpoint('software', CODE + 1n, 1);
      session.machine.insertBreakpoint('software', CODE + 1n, 1);
      session.machine.removeBreakpoint('software', CODE + 1n, 1);
      assert.equal((await session.go()).kind, 'breakpoint');
    }));

  test('do not stop for another virtual address of the same byte', () =>
    withSession(loop, async (session) => {
      session.machine.insertBreakpoint('software', HIGH + CODE + 1n, 1);
      session.machine.insertBreakpoint('software', CODE + 5n, 1);
      for (let turn = 1n; turn <= 3n; turn++) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 5n, hardware: false });
        assert.equal(session.register('rax'), turn);
      }
    }));

  test("leave the guest's own int3 to the guest", () => {
    // inc eax; int3; inc eax; jmp back; the handler counts in ebx and returns.
    const code = [...INC_EAX, INT3, ...INC_EAX, ...jumpBack(5)];
    return withSession({ code, handler: [...INC_EBX, 0x48, 0xcf], vectors: [3] }, async (session) => {
      session.machine.insertBreakpoint('software', CODE + 5n, 1);
      for (const turn of [1n, 2n, 3n]) {
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.equal(session.register('rax'), 2n * turn);
        assert.equal(session.register('rbx'), turn);
      }
      assert.equal(session.machine.readVirtual(0, CODE + 2n, 1)[0], INT3);
      // A breakpoint on the guest's int3 stops before it, and the guest still gets it afterwards.
      session.machine.insertBreakpoint('software', CODE + 2n, 1);
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 2n, hardware: false });
      assert.equal(session.register('rax'), 7n);
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 5n, hardware: false });
      assert.equal(session.register('rbx'), 4n);
    });
  });

  test('survive being written over by the guest', () => {
    // mov byte [CODE + 16], 0x90; jmp CODE + 16 ... at CODE + 16: (one byte, replaced); inc eax; jmp to start
    const code = [0xc6, 0x04, 0x25, ...imm32(CODE + 16n), NOP, 0xeb, 6, 0, 0, 0, 0, 0, 0, 0xf4, ...INC_EAX];
    return withSession({ code: [...code, ...jumpBack(19)] }, async (session) => {
      session.machine.insertBreakpoint('software', CODE + 16n, 1);
      session.machine.insertBreakpoint('software', CODE + 8n, 1);
      // The guest has just written over the trap; it is planted again while everything stands.
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 8n, hardware: false });
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 16n, hardware: false });
      assert.equal(session.machine.readVirtual(0, CODE + 16n, 1)[0], NOP);
    });
  });
});

describe('hardware breakpoints', () => {
  const fire = () =>
    withSession(loop, async (session) => {
      session.machine.insertBreakpoint('hardware', CODE + 1n, 1);
      for (const turn of [0n, 1n, 2n]) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 1n, hardware: true });
        assert.equal(session.register('rax'), turn);
      }
      for (const offset of [0n, 3n, 5n]) session.machine.insertBreakpoint('hardware', CODE + offset, 1);
      assert.throws(() => session.machine.insertBreakpoint('hardware', CODE + 2n, 1), BreakpointError);
    });
  const areRefused = () =>
    withSession(loop, async (session) => {
      assert.throws(() => session.machine.insertBreakpoint('hardware', CODE, 1), BreakpointError);
    });

  if (lacks('execute-registers')) test('are refused: debug registers do not fire here', areRefused);
  else test('stop by debug register, four at most', fire);
});

describe('stepping', () => {
  test('goes instruction by instruction, off breakpoints and onto them', () =>
    withSession(loop, async (session) => {
      session.machine.insertBreakpoint('software', CODE, 1);
      session.machine.insertBreakpoint('software', CODE + 3n, 1);
      const seen: bigint[] = [];
      for (let step = 0; step < 5; step++) {
        assert.deepEqual(await session.go({ kind: 'step' }), { kind: 'step' });
        seen.push(session.register('rip') - CODE);
      }
      assert.deepEqual(seen, [1n, 3n, 5n, 0n, 1n]);
    }));

  test('takes a port access as one step', () =>
    // out 0xe9, al; inc eax
    withSession({ code: [0xe6, 0xe9, ...INC_EAX, ...jumpBack(4)] }, async (session) => {
      assert.deepEqual(await session.go({ kind: 'step' }), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 2n);
      assert.deepEqual(await session.go({ kind: 'step' }), { kind: 'step' });
      assert.equal(session.register('rax'), 1n);
    }));

  test('goes on through a range until RIP leaves it', () =>
    // mov ecx, 50; loop: dec ecx; jnz loop; nop
    withSession({ code: [0xb9, ...imm32(50), 0xff, 0xc9, 0x75, 0xfc, NOP, 0xeb, 0xfe] }, async (session) => {
      const range = { kind: 'range-step', start: CODE, end: CODE + 9n } as const;
      assert.deepEqual(await session.go(range), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 9n);
      assert.equal(session.register('rcx'), 0n);
    }));

  test('stops at a breakpoint inside a range', () =>
    withSession(loop, async (session) => {
      session.machine.insertBreakpoint('software', CODE, 1);
      session.machine.insertBreakpoint('software', CODE + 3n, 1);
      const range = { kind: 'range-step', start: CODE, end: CODE + 16n } as const;
      assert.deepEqual(await session.go(range), { kind: 'breakpoint', address: CODE + 3n, hardware: false });
      assert.deepEqual(await session.go(range), { kind: 'breakpoint', address: CODE, hardware: false });
      assert.equal(session.register('rax'), 1n);
    }));

  test('can be interrupted inside a range that the guest never leaves', () =>
    withSession(loop, async (session) => {
      setTimeout(() => session.machine.interrupt(), 20);
      assert.deepEqual(await session.go({ kind: 'range-step', start: CODE, end: CODE + 7n }), { kind: 'pause' });
    }));
});

describe('user code', () => {
  const user = { ...loop, user: true, vectors: [1, 3, 13], handler: [0xf4] };

  test('stops at breakpoints and goes on from them', () =>
    withSession(user, async (session) => {
      session.machine.insertBreakpoint('software', CODE + 3n, 1);
      for (const turn of [1n, 2n, 3n]) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 3n, hardware: false });
        assert.equal(session.register('rip'), CODE + 3n);
        assert.equal(session.register('cs'), 0x23n);
        assert.equal(session.register('rax'), turn);
        assert.equal(session.register('eflags') & 0x100n, 0n);
      }
    }));

  test('is stepped through, off breakpoints and by range', () =>
    withSession(user, async (session) => {
      session.machine.insertBreakpoint('software', CODE, 1);
      const seen: bigint[] = [];
      for (let step = 0; step < 5; step++) {
        assert.deepEqual(await session.go({ kind: 'step' }), { kind: 'step' });
        seen.push(session.register('rip') - CODE);
      }
      assert.deepEqual(seen, [1n, 3n, 5n, 0n, 1n]);
      const range = { kind: 'range-step', start: CODE + 1n, end: CODE + 5n } as const;
      assert.deepEqual(await session.go(range), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 5n);
      assert.equal(session.register('cs'), 0x23n);
    }));
});

describe('watchpoints', () => {
  // inc eax; mov [rdi], eax; mov byte [rdi + 16], 7; jmp back
  const writer = { code: [...INC_EAX, 0x89, 0x07, 0xc6, 0x47, 0x10, 7, ...jumpBack(8)] };

  test('stop after the write that they watch, with what was written', () =>
    withSession(writer, async (session) => {
      session.machine.insertBreakpoint('write', DATA, 4);
      for (const turn of [1n, 2n, 3n]) {
        const reason = await session.go();
        assert.equal(reason.kind, 'watchpoint');
        assert.equal(reason.kind === 'watchpoint' && reason.address, DATA);
        assert.equal(session.register('rip'), CODE + 4n);
        assert.deepEqual([...session.machine.memory.read(DATA, 4)], imm32(turn));
      }
      session.machine.removeBreakpoint('write', DATA, 4);
      session.machine.insertBreakpoint('write', DATA + 16n, 1);
      await session.go();
      assert.equal(session.register('rip'), CODE + 8n);
    }));

  test('let neighbours on the same page be written', () =>
    withSession(writer, async (session) => {
      session.machine.insertBreakpoint('write', DATA + 17n, 1);
      session.machine.insertBreakpoint('software', CODE + 8n, 1);
      assert.equal((await session.go()).kind, 'breakpoint');
      assert.deepEqual([...session.machine.memory.read(DATA, 4)], imm32(1));
      assert.equal(session.machine.memory.read(DATA + 16n, 1)[0], 7);
    }));

  const readsAreRefused = () =>
    withSession(writer, async (session) => {
      assert.throws(() => session.machine.insertBreakpoint('access', DATA, 4), BreakpointError);
    });
  const reportReads = () =>
    // mov eax, [rdi]; jmp back
    withSession({ code: [0x8b, 0x07, ...jumpBack(2)] }, async (session) => {
      session.machine.insertBreakpoint('access', DATA, 4);
      assert.deepEqual(await session.go(), { kind: 'watchpoint', address: DATA, access: 'access' });
    });

  if (lacks('data-registers')) test('refuse reads: debug registers do not fire here', readsAreRefused);
  else test('report reads by debug register', reportReads);
});

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

  test('a triple fault is a stop with its registers, and going on ends the guest', () =>
    // inc eax; ud2 without an IDT
    withSession({ code: [...INC_EAX, 0x0f, 0x0b] }, async (session) => {
      const reason = await session.go();
      assert.equal(reason.kind, 'triple-fault');
      assert.equal(session.register('cr0') & 1n, session.register('cr0') & 1n);
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

test('what the handler address is does not matter to breakpoints in it', () =>
  // int3 reflected into a handler with a breakpoint
  withSession({ code: [INT3, ...jumpBack(1)], handler: [...INC_EBX, 0x48, 0xcf], vectors: [3] }, async (session) => {
    session.machine.insertBreakpoint('software', HANDLER + 2n, 1);
    for (const turn of [1n, 2n]) {
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: HANDLER + 2n, hardware: false });
      assert.equal(session.register('rbx'), turn);
    }
  }));
