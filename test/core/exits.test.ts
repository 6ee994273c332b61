/** Exits that a tiny guest makes, compared one by one with what it did, and with what KVM itself counts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExitRecord } from '../../hypervisor-core/protocol/inspect.ts';
import { writeMsr } from './call-guest.ts';
import { lacks } from './run-control-kit.ts';
import { CODE, imm32, withSession } from './tiny-guest.ts';

const COM1_LCR = 0x3fb;
const HOLE = 0xd000_0000;
const LOOPS = 500;

const code = [
  // mov al, 0x03; mov edx, 0x3fb; out dx, al; in al, dx
  ...[0xb0, 0x03, 0xba, ...imm32(COM1_LCR), 0xee, 0xec],
  // in eax, 0x80 (nobody there); mov ax, 0x1234; out 0x80, ax
  ...[0xe5, 0x80, 0x66, 0xb8, 0x34, 0x12, 0x66, 0xe7, 0x80],
  // mov ebx, 0x40000000 (mapped to the hole); mov dword [rbx + 0x10], 0x11223344; mov rax, [rbx + 0x20]
  ...[0xbb, ...imm32(0x4000_0000), 0xc7, 0x43, 0x10, ...imm32(0x1122_3344), 0x48, 0x8b, 0x43, 0x20],
  // mov ecx, LOOPS; out 0x80, al; dec ecx; jnz
  ...[0xb9, ...imm32(LOOPS), 0xe6, 0x80, 0xff, 0xc9, 0x75, 0xfa],
  // mov al, 3; out 0xf4, al
  ...[0xb0, 3, 0xe6, 0xf4],
];
const guest = { code, at1GiB: BigInt(HOLE) | 0x83n };

const did = ({ reason, address, size, value, device, register }: ExitRecord) =>
  [reason, address, size, value, device, register].filter((part) => part !== undefined).join(' ');

describe('exits', () => {
  test('a trace is what the guest did', () =>
    withSession(guest, async (session) => {
      const { exits } = session.machine;
      const tracing = exits.trace();
      await session.goToEnd();
      tracing.dispose();
      const { records, dropped, total, next } = exits.read([0], 10_000);
      const own = records.filter(({ reason }) => reason !== 'kick');
      assert.deepEqual([dropped, total, next], [0, records.length, [records.length]]);
      assert.deepEqual(own.slice(0, 6).map(did), [
        'port-out 0x3fb 1 0x3 COM1 LCR',
        'port-in 0x3fb 1 0x3 COM1 LCR',
        'port-in 0x80 4 0xffffffff',
        'port-out 0x80 2 0x1234',
        'mmio-write 0xd0000010 4 0x11223344',
        'mmio-read 0xd0000020 8 0xffffffffffffffff',
      ]);
      assert.deepEqual(new Set(own.slice(6, -1).map(did)).size, 1);
      assert.equal(own.length, 6 + LOOPS + 1);
      assert.equal(did(own.at(-1) as ExitRecord), 'port-out 0xf4 1 0x3 debug-exit');
      const end = CODE + BigInt(code.length);
      for (const [index, { rip, time, duration, sequence }] of records.entries()) {
        assert.equal(sequence, index);
        assert.ok(BigInt(rip) >= CODE && BigInt(rip) <= end, rip);
        assert.ok(time >= (records[index - 1]?.time ?? 0) && duration >= 0);
      }
    }));

  test('are counted by reason, place and RIP with no trace on, as often as KVM counts them', () =>
    withSession(guest, async (session) => {
      const { exits } = session.machine;
      await session.goToEnd();
      assert.equal(exits.read([0], 10).total, 0, 'nobody traced');
      const counters = exits.counters();
      const count = (kind: string, reason: string, address?: string) =>
        counters.find((one) => one.kind === kind && one.reason === reason && one.address === address)?.count;
      assert.equal(count('reason', 'port-out'), LOOPS + 3);
      assert.equal(count('reason', 'port-in'), 2);
      assert.deepEqual([count('reason', 'mmio-write'), count('reason', 'mmio-read')], [1, 1]);
      assert.equal(count('place', 'port-out', '0x80'), LOOPS + 1);
      assert.equal(count('place', 'port-in', '0x3fb'), 1);
      assert.equal(count('place', 'mmio-write', '0xd0000010'), 1);
      assert.equal(Math.max(...counters.filter(({ kind }) => kind === 'rip').map((one) => one.count)), LOOPS);
      const named = counters.find(({ kind, address }) => kind === 'place' && address === '0x3fb');
      assert.deepEqual([named?.device, named?.register], ['COM1', 'LCR']);
      const [times] = exits.times();
      assert.ok(times && times.inKvm > 0 && times.inUser > 0 && times.threadId > 0 && !times.entered);
      const { exits: all, io_exits: io } = times.statistics;
      // Linux before 5.14 gives none.
      if (all === undefined) return;
      assert.ok(all >= LOOPS + 5 && all >= (io ?? 0), `${io} of ${all}`);
      // Only intercepts of the processor are counted as I/O, not the accesses of interpreted code.
      if (lacks('emulated-supervisor')) assert.ok((io ?? 0) >= LOOPS + 5, `${io} of ${all}`);
      else assert.equal(io, 0);
    }));

  test('to an MSR that is ours have its name, in the trace and in the counts', () =>
    // wrmsr; rdmsr; out 0xf4, al
    withSession(
      { code: [...writeMsr(0x4000_0000, 0x8100n), 0x0f, 0x32, 0xe6, 0xf4] },
      async (session) => {
        const { exits } = session.machine;
        const tracing = exits.trace();
        await session.goToEnd();
        tracing.dispose();
        const own = exits.read([0], 100).records.filter(({ reason }) => reason.startsWith('msr'));
        assert.deepEqual(own.map(did), [
          'msr-write 0x40000000 8 0x8100 MSR HV_GUEST_OS_ID',
          'msr-read 0x40000000 8 0x8100 MSR HV_GUEST_OS_ID',
        ]);
        const places = exits.counters().filter(({ kind, device }) => kind === 'place' && device === 'MSR');
        assert.deepEqual(
          places.map(({ reason, address, register, count }) => [reason, address, register, count]).sort(),
          ['msr-read', 'msr-write'].map((reason) => [reason, '0x40000000', 'HV_GUEST_OS_ID', 1]),
        );
      },
      { personality: 'hyperv' },
    ));

  test('a vCPU that halts says so while it runs, and so does its time', () =>
    withSession({ code: [0xfb, 0xf4, 0xeb, 0xfd] }, async (session) => {
      session.machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]);
      const times = () => session.machine.exits.times()[0]!;
      while (!times().entered) await new Promise(setImmediate);
      const knows = 'blocking' in times().statistics;
      while (knows && !times().blocking) await new Promise((resolve) => setTimeout(resolve, 5));
      const before = times();
      while (times().inKvm === before.inKvm) await new Promise(setImmediate);
      session.machine.interrupt();
      await session.next();
      const after = times();
      assert.ok(!after.entered && after.inKvm >= before.inKvm);
      assert.ok(after.halted >= before.halted && after.halted <= after.inKvm * 1.5 + 1e5);
    }));
});
