import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INC_EAX, jumpBack, loop, NOP } from './run-control-kit.ts';
import { CODE, imm32, withSession } from './tiny-guest.ts';

const LOCAL_APIC = 0xfee0_0000n;

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

  test('halts behind a HLT that is stepped over, and no later', () =>
    // hlt; inc eax; jmp back, with interrupts off
    withSession({ code: [0xf4, ...INC_EAX, ...jumpBack(3)] }, async (session) => {
      assert.deepEqual(await session.go({ kind: 'step' }), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 1n);
      setTimeout(() => session.machine.interrupt(), 50);
      assert.deepEqual(await session.go(), { kind: 'pause' });
      assert.equal(session.register('rip'), CODE + 1n);
      assert.equal(session.register('rax'), 0n);
    }));

  test('goes on through a range until RIP leaves it', () =>
    // mov ecx, 50; loop: dec ecx; jnz loop; nop
    withSession({ code: [0xb9, ...imm32(50), 0xff, 0xc9, 0x75, 0xfc, NOP, 0xeb, 0xfe] }, async (session) => {
      const range = { kind: 'range-step', start: CODE, end: CODE + 9n } as const;
      assert.deepEqual(await session.go(range), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 9n);
      assert.equal(session.register('rcx'), 0n);
    }));

  test('goes on through a range in which KVM carries instructions out itself', () => {
    // mov ebx, 1 GiB; mov ecx, 50; loop: mov eax, [rbx + 0x20]; dec ecx; jnz loop; nop
    const code = [
      0xbb,
      ...imm32(1 << 30),
      0xb9,
      ...imm32(50),
      0x8b,
      0x43,
      0x20,
      0xff,
      0xc9,
      0x75,
      0xf9,
      NOP,
      0xeb,
      0xfe,
    ];
    return withSession({ code, at1GiB: LOCAL_APIC | 0x83n }, async (session) => {
      assert.deepEqual(await session.go({ kind: 'range-step', start: CODE, end: CODE + 17n }), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 17n);
      assert.equal(session.register('rcx'), 0n);
    });
  });

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
