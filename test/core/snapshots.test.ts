/** Snapshots: after going back, the machine is the same, and what runs on it runs the same way again. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { registersByName } from '../../hypervisor-core/protocol/target-description.ts';
import { jumpBack } from './run-control-kit.ts';
import { CODE, imm32, type Session, withSession } from './tiny-guest.ts';

/** A guest that computes, writes all over the 512 KiB at RDI, and comes by its first instruction every 1000 rounds. */
const MULTIPLY = [0x69, 0xc0, ...imm32(1103515245), 0x05, ...imm32(12345)];
const PICK = [0x89, 0xc3, 0xc1, 0xeb, 0x08, 0x81, 0xe3, ...imm32(0x7fff8)];
const STORE = [0x48, 0x89, 0x04, 0x1f];
const round = [...MULTIPLY, ...PICK, ...STORE, 0xff, 0xc9];
const LOAD_COUNT = [0xb9, ...imm32(1000)];
const computing = [
  ...LOAD_COUNT,
  ...round,
  ...[0x75, 256 - round.length - 2],
  ...jumpBack(LOAD_COUNT.length + round.length + 2),
];

/** All of RAM and of the registers that a program can tell apart. */
function fingerprint({ machine }: Session): string {
  const hash = createHash('sha256').update(machine.memory.read(0n, machine.memory.size));
  for (const vcpu of machine.vcpus) {
    for (const name of registersByName.keys()) hash.update(vcpu.registers.read(name));
  }
  return hash.digest('hex');
}

/** Runs through the loop `count` times; a breakpoint stands at its start. */
async function rounds(session: Session, count: number): Promise<string> {
  for (let turn = 0; turn < count; turn++) assert.equal((await session.go()).kind, 'breakpoint');
  return fingerprint(session);
}

/** Goes back to a snapshot; that is told as a stop. */
async function restore(session: Session, name: string): Promise<void> {
  await session.machine.snapshots.restore(name);
  assert.deepEqual(await session.next(), { vcpu: 0, reason: { kind: 'entry' } });
}

async function restart(session: Session): Promise<void> {
  await session.machine.snapshots.restart();
  assert.deepEqual(await session.next(), { vcpu: 0, reason: { kind: 'entry' } });
}

describe('snapshots', () => {
  test('a guest runs the same way again', () =>
    withSession({ code: computing }, async (session) => {
      const { snapshots } = session.machine;
      session.machine.insertBreakpoint('software', CODE, 1);
      const taken = await rounds(session, 2);
      await snapshots.take('here');
      assert.equal(fingerprint(session), taken);
      const later = await rounds(session, 3);
      assert.notEqual(later, taken);
      for (let turn = 0; turn < 3; turn++) {
        await restore(session, 'here');
        assert.equal(fingerprint(session), taken);
        assert.equal(await rounds(session, 3), later);
      }
    }));

  test('there can be many, to go to and fro in any order', () =>
    withSession({ code: computing }, async (session) => {
      const { snapshots } = session.machine;
      session.machine.insertBreakpoint('software', CODE, 1);
      const known = new Map<string, string>();
      for (const name of ['a', 'b', 'c', 'd']) {
        known.set(name, await rounds(session, 1));
        await snapshots.take(name);
      }
      assert.deepEqual(
        snapshots.list().map(({ name }) => name),
        ['a', 'b', 'c', 'd'],
      );
      for (const name of ['b', 'd', 'a', 'c', 'c', 'a', 'd']) {
        await restore(session, name);
        assert.equal(fingerprint(session), known.get(name), `snapshot ${name}`);
        await rounds(session, 1);
      }
      snapshots.remove('b');
      await restore(session, 'c');
      await snapshots.take('b');
      await restart(session);
      await rounds(session, 1);
      await restore(session, 'b');
      assert.equal(fingerprint(session), known.get('c'));
    }));

  test('hold what a debugger wrote, and no traps', () =>
    withSession({ code: computing }, async (session) => {
      const { snapshots, memory } = session.machine;
      session.machine.insertBreakpoint('software', CODE, 1);
      await rounds(session, 1);
      memory.write(0x80000n, Uint8Array.of(1, 2, 3));
      session.setRegister('rax', 0x1234n);
      await snapshots.take('written');
      memory.write(0x80000n, Uint8Array.of(4, 5, 6));
      session.setRegister('rax', 0n);
      session.machine.removeBreakpoint('software', CODE, 1);
      await restore(session, 'written');
      assert.deepEqual([...memory.read(0x80000n, 3)], [1, 2, 3]);
      assert.equal(session.register('rax'), 0x1234n);
      assert.equal(memory.read(CODE, 1)[0], LOAD_COUNT[0]);
      const stopped = session.go();
      await nextTurn();
      session.machine.interrupt();
      assert.deepEqual(await stopped, { kind: 'pause' });
    }));

  test('hold the devices, in the core and in the kernel', () =>
    // Writes AL to COM1's scratch register and to the PIC's mask, stops at the NOP, reads both into AL and AH, stops again.
    withSession(
      {
        code: [
          ...[0x66, 0xba, 0xff, 0x03, 0xee, 0xe6, 0x21, 0x90],
          ...[0xe4, 0x21, 0x88, 0xc4, 0xec, 0x90, ...jumpBack(14)],
        ],
      },
      async (session) => {
        const { snapshots, machine } = { snapshots: session.machine.snapshots, machine: session.machine };
        machine.insertBreakpoint('software', CODE + 7n, 1);
        machine.insertBreakpoint('software', CODE + 13n, 1);
        session.setRegister('rax', 0x5an);
        await session.go();
        await snapshots.take('5a');
        await session.go();
        assert.equal(session.register('rax') & 0xffffn, 0x5a5an);
        session.setRegister('rax', 0xa5n);
        await session.go();
        await session.go();
        assert.equal(session.register('rax') & 0xffffn, 0xa5a5n);
        await restore(session, '5a');
        await session.go();
        assert.equal(session.register('rax') & 0xffffn, 0x5a5an);
      },
    ));

  test('bring back a guest that has ended', () =>
    // Counts to 1000 at RDI and leaves by the debug-exit port.
    withSession(
      { code: [0xff, 0x07, 0x81, 0x3f, ...imm32(1000), 0x75, 0xf6, 0xb0, 0x15, 0xe6, 0xf4] },
      async (session) => {
        const { machine } = session;
        const first = await session.goToEnd();
        assert.equal(first.exitStatus, (0x15 << 1) | 1);
        const ended = fingerprint(session);
        for (let turn = 0; turn < 3; turn++) {
          await restart(session);
          assert.deepEqual(machine.state, { kind: 'stopped' });
          assert.equal(session.register('rip'), CODE);
          assert.deepEqual(await session.goToEnd(), first);
          assert.equal(fingerprint(session), ended);
        }
      },
    ));

  test('are of all vCPUs', () =>
    withSession(
      { code: computing },
      async (session) => {
        session.machine.insertBreakpoint('software', CODE, 1);
        const taken = await rounds(session, 1);
        await session.machine.snapshots.take('two');
        const later = await rounds(session, 2);
        await restore(session, 'two');
        assert.equal(fingerprint(session), taken);
        assert.equal(await rounds(session, 2), later);
      },
      { cpus: 2 },
    ));

  test('are refused with a reason', () =>
    withSession({ code: computing }, async (session) => {
      const { snapshots } = session.machine;
      await assert.rejects(snapshots.restore('none'), /no snapshot "none"; none has been taken yet/);
      await assert.rejects(snapshots.take('a b'), /"a b" is no name for a snapshot/);
      await snapshots.take('one');
      await assert.rejects(snapshots.restore('two'), /there are one\./);
      const stopped = session.go();
      await assert.rejects(snapshots.take('two'), /running; pause it first/);
      await assert.rejects(snapshots.restore('one'), /running; pause it first/);
      session.machine.interrupt();
      await stopped;
    }));
});
