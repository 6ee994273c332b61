import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BreakpointError } from '../../hypervisor-core/machine/api.ts';
import { INC_EAX, INC_EBX, jumpBack, lacks, NOP } from './run-control-kit.ts';
import { CODE, DATA, HANDLER, imm32, withSession } from './tiny-guest.ts';

const NMI_VECTOR = 2;
const UD_VECTOR = 6;
const TRAP_FLAG = 1n << 8n;

/** More than a debug register watches. */
const WATCHED_BYTES = 16;

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

  // fninit; fld1; fstp qword [rdi]; jmp back
  const x87 = { code: [0xdb, 0xe3, 0xd9, 0xe8, 0xdd, 0x1f, ...jumpBack(6)] };
  const seeX87 = () =>
    withSession(x87, async (session) => {
      session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
      const reason = await session.go();
      assert.equal(reason.kind === 'watchpoint' && reason.address, DATA + 6n);
      assert.equal(session.register('rip'), CODE + 6n);
    });
  // Where all supervisor code is interpreted, there is no other way.
  if (lacks('emulated-supervisor')) test('see writes of instructions that KVM cannot interpret', seeX87);

  // jmp to itself; its handler of NMI: inc ebx; mov [rdi], ebx; iretq
  const interrupted = { code: jumpBack(2), handler: [...INC_EBX, 0x89, 0x1f, 0x48, 0xcf], vectors: [NMI_VECTOR] };
  /** The stack is on the watched page. */
  const STACK_TOP = DATA + 0x800n;

  test('let the guest be interrupted with its stack on the same page', () =>
    withSession(interrupted, async (session) => {
      session.setRegister('rsp', STACK_TOP);
      session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
      for (const turn of [1n, 2n]) {
        session.vcpu.inject();
        const reason = await session.go();
        assert.equal(reason.kind === 'watchpoint' && reason.address, DATA);
        assert.equal(session.register('rip'), HANDLER + 4n);
        assert.equal(session.register('rbx'), turn);
      }
    }));

  // ud2; jmp back; its handler: inc ebx; mov [rdi], ebx; add qword [rsp], 2; iretq
  const faulting = {
    code: [0x0f, 0x0b, ...jumpBack(2)],
    handler: [...INC_EBX, 0x89, 0x1f, 0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xcf],
    vectors: [UD_VECTOR],
  };

  test('let the guest take an exception with its stack on the same page', () =>
    withSession(faulting, async (session) => {
      session.setRegister('rsp', STACK_TOP);
      session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
      for (const turn of [1n, 2n]) {
        const reason = await session.go();
        assert.equal(reason.kind === 'watchpoint' && reason.address, DATA);
        assert.equal(session.register('rip'), HANDLER + 4n);
        assert.equal(session.register('rbx'), turn);
      }
    }));

  test('tell a true triple fault from an interrupt that cannot be written', () =>
    withSession({ code: [0x0f, 0x0b] }, async (session) => {
      session.setRegister('rsp', STACK_TOP);
      session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
      assert.equal((await session.go()).kind, 'triple-fault');
    }));

  test('report an interrupt whose frame they watch', () =>
    withSession(interrupted, async (session) => {
      session.setRegister('rsp', STACK_TOP);
      // The frame's topmost slots: SS, and RSP with the byte that is the first to differ.
      session.machine.insertBreakpoint('write', STACK_TOP - 16n, WATCHED_BYTES);
      session.vcpu.inject();
      const reason = await session.go();
      assert.equal(reason.kind === 'watchpoint' && reason.address, STACK_TOP - 15n);
      assert.equal(session.register('rip'), HANDLER);
    }));

  // mov eax, the local APIC; on (+0xf0); divide by 1 (+0x3e0); periodic timer, vector 0x40 (+0x320); its period (+0x380)
  const TICK = 0x40;
  const startTimer = (period: number) => [
    ...[0xb8, ...imm32(0xfee0_0000), 0xc7, 0x80, ...imm32(0xf0), ...imm32(0x1ff)],
    ...[0xc7, 0x80, ...imm32(0x3e0), ...imm32(0xb), 0xc7, 0x80, ...imm32(0x320), ...imm32(0x2_0000 | TICK)],
    ...[0xc7, 0x80, ...imm32(0x380), ...imm32(period)],
  ];
  // mov ecx, TURNS; sti; dec ecx; jnz back; cmp r8, TICKS; jb back; nop
  const TURNS = 100_000;
  const TICKS = 5;
  const waiting = [0x49, 0x83, 0xf8, TICKS, 0x72, 0xfa];
  const counting = [...startTimer(500_000), 0xb9, ...imm32(TURNS), 0xfb, 0xff, 0xc9, 0x75, 0xfc, ...waiting, NOP];
  // inc r8; push rax; mov eax, 0xfee000b0; mov dword [rax], 0: the end of the interrupt; pop rax; iretq
  const endInterrupt = [0x49, 0xff, 0xc0, 0x50, 0xb8, ...imm32(0xfee0_00b0), 0xc7, 0x00, ...imm32(0), 0x58, 0x48, 0xcf];
  const ticking = { code: counting, handler: endInterrupt, vectors: [TICK] };

  test('leave no trap flag in the frame of an interrupt whose handler begins with a breakpoint', () =>
    withSession(ticking, async (session) => {
      session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
      session.machine.insertBreakpoint('software', HANDLER, 1);
      for (const turn of [0n, 1n, 2n]) {
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.equal(session.register('r8'), turn);
        // RFLAGS is the third word of the frame, TF the first bit of its second byte.
        const [flags = 1] = session.machine.memory.read(session.register('rsp') + 17n, 1);
        assert.equal(flags & 1, 0);
      }
    }));

  // out 0x20..0x43, al, each after a mov: the PIC with vectors from 0x20 and no need of ends, its timer alone, 250 Hz
  const PIC_TICK = 0x20;
  const outs = [
    [0x20, 0x11],
    [0x21, PIC_TICK],
    [0x21, 4],
    [0x21, 3],
    [0x21, 0xfe],
    [0x43, 0x34],
    [0x40, 0xa9],
    [0x40, 4],
  ];
  const startPic = outs.flatMap(([port = 0, value = 0]) => [0xb0, value, 0xe6, port]);
  // sti; cmp r9, TICKS; jb back; nop
  const picCounting = [...startPic, ...startTimer(5_000_000), 0xfb, 0x49, 0x83, 0xf9, TICKS, 0x72, 0xfa, NOP];
  // inc r9; or r10, [rsp + 16], the flags; iretq
  const handlePic = [0x49, 0xff, 0xc1, 0x4c, 0x0b, 0x54, 0x24, 0x10, 0x48, 0xcf];
  const picHandler = { gpa: HANDLER + 0x100n, bytes: Uint8Array.from(handlePic), name: 'PIC handler' };

  test('leave no trap flag in the frame of an interrupt that comes before the one that was seen to wait', () =>
    withSession(
      { ...ticking, code: picCounting, handlers: { [PIC_TICK]: picHandler.gpa }, more: [picHandler] },
      async (session) => {
        session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
        session.machine.insertBreakpoint('software', CODE + BigInt(picCounting.length - 1), 1);
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.equal(session.register('r10') & TRAP_FLAG, 0n);
      },
    ));

  const goesOn = () =>
    withSession(ticking, async (session) => {
      session.setRegister('rsp', STACK_TOP);
      session.machine.insertBreakpoint('write', DATA, WATCHED_BYTES);
      session.machine.insertBreakpoint('software', CODE + BigInt(counting.length - 1), 1);
      assert.equal((await session.go()).kind, 'breakpoint');
      assert.equal(session.register('rcx'), 0n);
    });
  // Where debug registers watch, no interrupts are held off for it: pages stand in for them only when all are in use.
  const pagesWatch = lacks('data-registers') && !lacks('block-interrupts');
  if (pagesWatch) test('let a guest go on that is interrupted faster than can be kept up with', goesOn);

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
