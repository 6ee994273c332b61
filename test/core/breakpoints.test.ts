import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BreakpointError } from '../../hypervisor-core/machine/api.ts';
import { probeHost } from '../../hypervisor-core/machine/host-probe.ts';
import { debugStrategy } from '../../hypervisor-core/machine/strategy.ts';
import { INC_EAX, INC_EBX, INT3, jumpBack, lacks, loop, NOP } from './run-control-kit.ts';
import { CODE, HANDLER, HIGH, imm32, withSession } from './tiny-guest.ts';

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

  test('whatever is in the registers, and leave them alone', () => {
    // Ports of the kernel's chips, of Ringside's devices and of nobody: a trap may be an access to the port in DX.
    const ports = [0x20, 0x21, 0xa1, 0x41, 0x70, 0xf4, 0x3f8, 0x4d0, 0xcf8, 0xffff];
    const rax = 0x1122_3344_5566_7788n;
    const MOV_RAX = [0x48, 0xb8, ...new Uint8Array(BigUint64Array.of(rax).buffer)];
    const MOV_EDX = 0xba;
    const code = [...MOV_RAX, ...ports.flatMap((port) => [MOV_EDX, ...imm32(port), NOP]), ...INC_EAX];
    return withSession({ code }, async (session) => {
      const at = (index: number) => CODE + BigInt(MOV_RAX.length + index * 6 + 5);
      for (const index of ports.keys()) session.machine.insertBreakpoint('software', at(index), 1);
      for (const [index, port] of ports.entries()) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: at(index), hardware: false });
        assert.equal(session.register('rdx'), BigInt(port));
        assert.equal(session.register('rax'), rax);
      }
    });
  });

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

describe('software breakpoints of a guest that moves itself', () => {
  const MOVED = 0x20_0000n;
  const PAGE = 0x1000;
  const PAGE_DIRECTORY = 0x3000n;
  const LARGE_PAGE = MOVED | 0x83n;
  // Maps address 0 to what 1 GiB is mapped to: mov dword [PAGE_DIRECTORY], ...; mov rax, cr3; mov cr3, rax; xor eax, eax.
  const maps = [
    ...[0xc7, 0x04, 0x25, ...imm32(PAGE_DIRECTORY), ...imm32(LARGE_PAGE)],
    ...[0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8, 0x31, 0xc0],
  ];
  // Copies its page there before, and goes on in the copy: inc eax; inc ebx; jmp back.
  const copies = [
    ...[0xbe, ...imm32(CODE), 0xbf, ...imm32(0x4000_0000n + CODE), 0xb9, ...imm32(PAGE), 0xf3, 0xa4],
    ...maps,
  ];
  const code = [...copies, ...INC_EAX, ...INC_EBX, ...jumpBack(4)];
  const [first, second] = [CODE + BigInt(copies.length), CODE + BigInt(copies.length) + 2n];
  const original = Uint8Array.from(code);

  test('stop in the copy, hide what they hid, and leave nothing behind', () =>
    withSession({ code, at1GiB: LARGE_PAGE }, async (session) => {
      const { machine } = session;
      for (const address of [first, second]) machine.insertBreakpoint('software', address, 1);
      for (const turn of [1n, 2n, 3n]) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: first, hardware: false });
        assert.deepEqual([session.register('rax'), session.register('rbx')], [turn - 1n, turn - 1n]);
        assert.deepEqual(machine.readVirtual(0, CODE, code.length), original);
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: second, hardware: false });
        assert.deepEqual([session.register('rax'), session.register('rbx')], [turn, turn - 1n]);
      }
      machine.removeBreakpoint('software', first, 1);
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: second, hardware: false });
      assert.equal(session.register('rax'), 4n);
      machine.removeBreakpoint('software', second, 1);
      // Only what is let go has its breakpoints put in place, and taken away.
      await session.go({ kind: 'step' });
      for (const at of [CODE, MOVED + CODE]) {
        assert.deepEqual(Uint8Array.from(machine.memory.read(at, code.length)), original, `${at}`);
      }
    }));

  test('are not taken for what another page has there of its own', () => {
    const { trap } = debugStrategy(probeHost());
    assert.ok(trap);
    // jmp over one byte; nop; inc eax or ebx; jmp back.
    const page = (byte: number, inc: readonly number[]) => [...maps, 0xeb, 1, byte, NOP, ...inc, ...jumpBack(5)];
    const other = Uint8Array.from(page(trap.byte, INC_EBX));
    const more = [{ gpa: MOVED + CODE, bytes: other, name: 'other page' }];
    return withSession({ code: page(0xf4, INC_EAX), more, at1GiB: LARGE_PAGE }, async (session) => {
      const { machine } = session;
      const skipped = CODE + BigInt(maps.length) + 2n;
      for (const address of [skipped, skipped + 1n]) machine.insertBreakpoint('software', address, 1);
      // To the jump in the other page: no breakpoint is put in place there before the guest has stopped.
      for (let step = 0; step < 5; step++) await session.go({ kind: 'step' });
      for (let turn = 0; turn < 2; turn++) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: skipped + 1n, hardware: false });
        assert.deepEqual(machine.readVirtual(0, CODE, other.length), other);
      }
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

test('what the handler address is does not matter to breakpoints in it', () =>
  // int3 reflected into a handler with a breakpoint
  withSession({ code: [INT3, ...jumpBack(1)], handler: [...INC_EBX, 0x48, 0xcf], vectors: [3] }, async (session) => {
    session.machine.insertBreakpoint('software', HANDLER + 2n, 1);
    for (const turn of [1n, 2n]) {
      assert.deepEqual(await session.go(), { kind: 'breakpoint', address: HANDLER + 2n, hardware: false });
      assert.equal(session.register('rbx'), turn);
    }
  }));
