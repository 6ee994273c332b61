/** Calls that KVM answers itself, by instructions in code that no file told of: traced without a stop, where KVM lets guests make them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BreakpointError } from '../../hypervisor-core/machine/api.ts';
import type { HypercallRecord } from '../../hypervisor-core/protocol/inspect.ts';
import { parseStopOn } from '../../hypervisor-core/protocol/stop-on.ts';
import { callCode, type GuestCall, logged } from './call-guest.ts';
import { CODE, imm32, type Session, withSession } from './tiny-guest.ts';

const VMMCALL = [0x0f, 0x01, 0xd9];
/** Where physical 0 may be executed, but not written: what is there is code. */
const AGAIN = 0x4000_0000n;
/** mov eax, what follows at 1 GiB; jmp rax */
const GO_ON = [0xb8, ...imm32(CODE + AGAIN + 7n), 0xff, 0xe0];

const call = (registers: GuestCall['registers']): GuestCall => ({ registers, instruction: VMMCALL });
const made = [call({ rax: 1n, rbx: 2n, rcx: 3n, rdx: 4n, rsi: 5n }), call({ rax: 99n }), call({ rax: 5n, rcx: 0n })];
const code = [...GO_ON, ...callCode(made)];
/** Guest-physical addresses of the instructions. */
const places = code.flatMap((_, at) => (VMMCALL.every((byte, n) => code[at + n] === byte) ? [CODE + BigInt(at)] : []));
const listed = ['KVM_HC_VAPIC_POLL_IRQ = 0x0', 'hypercall 99 = -ENOSYS', 'KVM_HC_KICK_CPU = 0x0'];

const records = (session: Session) => {
  const { records: list, dropped, total } = session.machine.hypercalls.read(0, 1000);
  assert.deepEqual([dropped, total], [0, list.length]);
  return list;
};
const short = ({ name, result, resultText }: HypercallRecord) => `${name} = ${resultText ?? result}`;
const log = ({ machine }: Session) => logged((gpa, length) => machine.memory.read(gpa, length), made.length);
const results = (list: readonly HypercallRecord[]) => list.map(({ result }) => BigInt(result ?? -1));

/** A guest that makes the calls; on a KVM to which guests cannot make them, none. */
const withCalls = (body: (session: Session) => Promise<void>) =>
  withSession(
    { code, at1GiB: 0x81n },
    async (session) => {
      const { facts } = session.machine.info.host;
      if (facts.some(({ id, answer }) => id === 'vmcall-returns' && answer === 'yes')) await body(session);
      else assert.equal(session.machine.recordInstructions(session, true), 0);
    },
    { personality: 'kvm' },
  );

describe('calls that KVM answers itself', () => {
  test('are listed with number, arguments, result and place, as the guest has them', () =>
    withCalls(async (session) => {
      assert.equal(session.machine.info.callSites, 0);
      assert.equal(session.machine.recordInstructions(session, true), made.length);
      assert.equal((await session.goToEnd()).cause, 'debug-exit');
      const list = records(session);
      assert.deepEqual(list.map(short), listed);
      assert.deepEqual(results(list), log(session));
      for (const [index, { abi, cpl, vcpu, rip, caller, duration, arguments: given }] of list.entries()) {
        assert.deepEqual([abi, cpl, vcpu, caller], ['kvm', 0, 0, undefined]);
        assert.equal(BigInt(rip), (places[index] ?? 0n) + AGAIN + 3n);
        assert.ok(duration !== undefined && duration > 0 && duration < 1e6, `${duration}`);
        assert.ok(given.length === [0, 4, 2][index], JSON.stringify(given));
      }
      assert.deepEqual(list[2]?.arguments, [
        { name: 'flags', value: '0x2' },
        { name: 'apicid', value: '0x0' },
      ]);
    }));

  test('are not listed where nobody wants them, or no more, and are answered all the same', () =>
    withCalls(async (session) => {
      const { machine } = session;
      machine.recordInstructions(session, true);
      machine.insertBreakpoint('software', (places[1] ?? 0n) + AGAIN, 1);
      await session.go();
      assert.throws(() => machine.stopOn(session, [parseStopOn('hypercall xen')!]), BreakpointError);
      machine.recordInstructions(session, false);
      machine.removeBreakpoint('software', (places[1] ?? 0n) + AGAIN, 1);
      assert.throws(() => machine.stopOn(session, [parseStopOn('hypercall kvm')!]), BreakpointError);
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), listed.slice(0, 1));
      assert.equal(log(session)[1], BigInt.asUintN(64, -1000n));
    }));

  test('that a breakpoint of somebody’s stops at, or that are stepped over, are listed once', () =>
    withCalls(async (session) => {
      const { machine } = session;
      machine.recordInstructions(session, true);
      machine.insertBreakpoint('software', (places[0] ?? 0n) + AGAIN, 1);
      await session.go();
      machine.insertBreakpoint('software', (places[2] ?? 0n) + AGAIN, 1);
      while (session.register('rip') !== (places[2] ?? 0n) + AGAIN) await session.go({ kind: 'step' });
      await session.goToEnd();
      const list = records(session);
      assert.deepEqual(list.map(short), listed);
      assert.deepEqual(results(list), log(session));
    }));

  test('stop the guest before they are made, on request', () =>
    withCalls(async (session) => {
      session.machine.recordInstructions(session, true);
      session.machine.stopOn(session, [parseStopOn('hypercall kvm 99')!]);
      const message = 'The guest makes the kvm hypercall 0x63, hypercall 99.';
      assert.deepEqual(await session.go(), { kind: 'event', message });
      assert.equal(session.register('rip'), (places[1] ?? 0n) + AGAIN);
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), listed);
    }));

  test('whose instruction has gone since are not taken for it: what is there now stays as it is', () =>
    withCalls(async (session) => {
      session.machine.recordInstructions(session, true);
      // inc rax, in the second one's place.
      session.machine.memory.write(places[1] ?? 0n, Uint8Array.of(0x48, 0xff, 0xc0));
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), [listed[0], listed[2]]);
      assert.equal(log(session)[1], 100n);
    }));
});
