/** Where a vCPU's time went, beside what the kernel says of its thread: proc(5), Documentation/scheduler/sched-stats.rst. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Session, withSession } from './tiny-guest.ts';

/** Microseconds that each guest is watched for. */
const WATCHED = 1_500_000;
/** What the kernel may be behind with its account: a turn of another thread, and the time that one look takes. */
const BEHIND = 100_000;

const spins = [0xeb, 0xfe];
/** in al, 0x80 (nobody there) and again */
const exits = [0xe4, 0x80, 0xeb, 0xfc];
/** sti; hlt; and again */
const halts = [0xfb, 0xf4, 0xeb, 0xfc];

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

function look(session: Session) {
  const ours = session.machine.exits.times()[0]!;
  return { at: performance.now() * 1000, ours, kernel: thread(ours.threadId) };
}

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
    tells: 'halt_wait_ns' in last.statistics,
  };
}

const near = (a: number, b: number, what: string) => assert.ok(Math.abs(a - b) <= BEHIND, `${what}: ${a} and ${b}`);

describe('the time of a vCPU', { skip: !existsSync('/dev/kvm') && 'no /dev/kvm', timeout: 120_000 }, () => {
  for (const [what, code] of [
    ['that runs', spins],
    ['that exits all the time', exits],
  ] as const) {
    test(`${what} is its thread's on a processor, and what that waited for one`, () =>
      withSession({ code }, async (session) => {
        const { elapsed, inKvm, inUser, steal, guest, onCpu, waited, ticks } = await watch(session);
        near(inKvm + inUser, elapsed, 'all of it, and by the clock');
        near(steal, waited, 'without a processor, and by schedstat');
        near(guest + inUser, onCpu, 'in the guest and in user space, and by schedstat');
        near(guest + inUser, ticks, 'in the guest and in user space, and by stat');
        if (code === exits) assert.ok(inUser > elapsed / 20, `${inUser} of ${elapsed} in user space`);
        else assert.ok(inUser < BEHIND, `${inUser} in user space`);
      }));
  }

  test('that halts is halted, and its thread asleep', () =>
    withSession({ code: halts }, async (session) => {
      const { elapsed, inKvm, inUser, halted, guest, steal, onCpu, tells } = await watch(session);
      near(inKvm + inUser, elapsed, 'all of it, and by the clock');
      // Linux before 5.14 does not tell.
      if (tells) near(halted, elapsed - onCpu, 'halted, and the rest of the time by schedstat');
      if (tells) near(Math.max(0, guest), Math.max(0, onCpu - inUser), 'in the guest, and by schedstat');
      assert.ok(steal <= elapsed);
    }));

  test('that has not run yet is none, whatever its thread has waited for', () =>
    withSession({ code: spins }, async (session) => {
      const { inKvm, inUser, steal, threadId } = session.machine.exits.times()[0]!;
      assert.deepEqual([inKvm, inUser], [0, 0]);
      assert.ok(steal < thread(threadId).waited || thread(threadId).waited === 0);
    }));
});
