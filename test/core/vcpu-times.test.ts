/** Where a vCPU's time went, beside what the kernel says of its thread: proc(5), Documentation/scheduler/sched-stats.rst. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { patience } from '../patience.ts';
import { imm32, type Session, withSession } from './tiny-guest.ts';

/** Microseconds that each guest is watched for. */
const WATCHED = 1_500_000;
/**
 * What the kernel may be behind with its account: a turn of another thread, and the time that one look takes; on an emulated
 * host both are longer, and some time is lost to the host beneath, which the kernel has neither as run nor as waited.
 */
const BEHIND = 1000 * patience(100);

const spins = [0xeb, 0xfe];
/** in al, 0x80 (nobody there) and again */
const exits = [0xe4, 0x80, 0xeb, 0xfc];
/** sti; hlt; and again */
const halts = [0xfb, 0xf4, 0xeb, 0xfc];

const VECTOR = 0x30;
/** mov eax, the local APIC's register; mov dword [rax], value */
const apic = (register: number, value: number) => [
  ...[0xb8, ...imm32(0xfee0_0000 + register), 0xc7, 0x00, ...imm32(value)],
];
/** Halts, and is woken a thousand times a second by its timer: divided by 1, periodic, of 1 GHz. */
const woken = {
  code: [...apic(0xf0, 0x1ff), ...apic(0x3e0, 0b1011), ...apic(0x320, 0x20000 | VECTOR), ...apic(0x380, 1e6), ...halts],
  // push rax; end of interrupt; pop rax; iretq
  handler: [0x50, ...apic(0xb0, 0), 0x58, 0x48, 0xcf],
  vectors: [VECTOR],
};

/** A thread of this process by the kernel's own account, in microseconds. */
function thread(id: number) {
  const of = (file: string) => readFileSync(`/proc/self/task/${id}/${file}`, 'latin1');
  const [onCpu = 0, waited = 0] = of('schedstat')
    .split(' ')
    .map((nanoseconds) => Number(nanoseconds) / 1000);
  // What follows the name, which may hold anything; user and system time in ticks of 10 ms.
  const [user = 0, system = 0] = of('stat')
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return { onCpu, waited, ticks: (user + system) * 10_000 };
}

/** Both accounts at one moment, as far as this thread is let: a look that took long is taken again, a few times. */
function look(session: Session) {
  for (let left = 100; ; left--) {
    const at = performance.now() * 1000;
    const ours = session.machine.exits.times()[0]!;
    const kernel = thread(ours.threadId);
    if (performance.now() * 1000 - at < BEHIND / 10 || left === 0) return { at, ours, kernel };
  }
}

/** Microseconds that KVM waited for the end of a halt on the processor, which counts as halted. */
const polled = (statistics: Readonly<Record<string, number>>) =>
  ((statistics['halt_poll_success_ns'] ?? 0) + (statistics['halt_poll_fail_ns'] ?? 0)) / 1000;

/** What came to each account while the guest ran for a while. */
async function watch(session: Session) {
  session.machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]);
  while (!session.machine.exits.times()[0]!.entered) await delay(5);
  const before = look(session);
  await delay(WATCHED / 1000);
  const after = look(session);
  session.machine.interrupt();
  await session.next();
  const grown = <Key extends string>(a: Readonly<Record<Key, number>>, b: Readonly<Record<Key, number>>, key: Key) =>
    b[key] - a[key];
  const { ours: first, kernel: early } = before;
  const { ours: last, kernel: late } = after;
  const [inKvm, inUser, halted, steal] = (['inKvm', 'inUser', 'halted', 'steal'] as const).map((key) =>
    grown(first as Readonly<Record<typeof key, number>>, last as Readonly<Record<typeof key, number>>, key),
  ) as [number, number, number, number];
  return {
    elapsed: after.at - before.at,
    ...{ inKvm, inUser, halted, steal, guest: inKvm - halted - steal },
    onCpu: grown(early, late, 'onCpu'),
    waited: grown(early, late, 'waited'),
    ticks: grown(early, late, 'ticks'),
    polled: polled(last.statistics) - polled(first.statistics),
    tells: 'halt_wait_ns' in last.statistics,
  };
}

/** The kernel may be far behind once where the machine is busy; what is wrong here is wrong each time. */
async function watched(session: Session, check: (seen: Awaited<ReturnType<typeof watch>>) => void): Promise<void> {
  for (let left = 3; ; left--) {
    try {
      check(await watch(session));
      return;
    } catch (error) {
      if (left === 0 || !(error instanceof assert.AssertionError)) throw error;
    }
  }
}

const near = (a: number, b: number, what: string) => assert.ok(Math.abs(a - b) <= BEHIND, `${what}: ${a} and ${b}`);

describe('the time of a vCPU', { skip: !existsSync('/dev/kvm') && 'no /dev/kvm', timeout: patience(120_000) }, () => {
  for (const [what, code] of [
    ['that runs', spins],
    ['that exits all the time', exits],
  ] as const) {
    test(`${what} is its thread's on a processor, and what that waited for one`, () =>
      withSession({ code }, (session) =>
        watched(session, ({ elapsed, inKvm, inUser, steal, guest, onCpu, waited, ticks }) => {
          near(inKvm + inUser, elapsed, 'all of it, and by the clock');
          near(steal, waited, 'without a processor, and by schedstat');
          near(guest + inUser, onCpu, 'in the guest and in user space, and by schedstat');
          near(guest + inUser, ticks, 'in the guest and in user space, and by stat');
          if (code === exits) assert.ok(inUser > 0);
          else assert.ok(inUser < BEHIND, `${inUser} in user space`);
        }),
      ));
  }

  test('that halts is halted, and its thread asleep', () =>
    withSession({ code: halts }, (session) =>
      watched(session, ({ elapsed, inKvm, inUser, halted, guest, steal, onCpu, waited, tells }) => {
        near(inKvm + inUser, elapsed, 'all of it, and by the clock');
        // Linux before 5.14 does not tell.
        if (tells) near(halted, elapsed - onCpu - waited, 'halted, and the rest of the time by schedstat');
        if (tells) near(Math.max(0, guest), Math.max(0, onCpu - inUser), 'in the guest, and by schedstat');
        near(steal, waited, 'without a processor, and by schedstat');
      }),
    ));

  test('that halts often on a busy machine is not counted twice while its thread waits to go on', async () => {
    const busy = Array.from({ length: 2 * availableParallelism() }, () => new Worker('for (;;);', { eval: true }));
    try {
      await withSession(woken, (session) =>
        watched(session, ({ elapsed, inKvm, inUser, halted, guest, steal, onCpu, waited, polled: spent, tells }) => {
          near(inKvm + inUser, elapsed, 'all of it, and by the clock');
          near(steal, waited, 'without a processor, and by schedstat');
          if (!tells) return;
          near(guest + inUser, onCpu - spent, 'in the guest and in user space, and by schedstat');
          near(halted, elapsed - onCpu - waited + spent, 'halted, and the rest of the time by schedstat');
        }),
      );
    } finally {
      await Promise.all(busy.map((worker) => worker.terminate()));
    }
  });

  test('that has not run yet is none, whatever its thread has waited for', () =>
    withSession({ code: spins }, async (session) => {
      const { inKvm, inUser, steal, threadId } = session.machine.exits.times()[0]!;
      assert.deepEqual([inKvm, inUser], [0, 0]);
      assert.ok(steal < thread(threadId).waited || thread(threadId).waited === 0);
    }));
});
