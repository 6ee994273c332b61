import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { singleEntryPage } from '../../hypervisor-core/hypercalls/hypercall-page.ts';
import { BreakpointError } from '../../hypervisor-core/machine/api.ts';
import { parseStopOn } from '../../hypervisor-core/protocol/stop-on.ts';
import { ARGUMENTS, callCode, type GuestCall, HYPERCALL_PAGE, writeMsr } from './call-guest.ts';
import { INC_EAX, INC_EBX, jumpBack, lacks } from './run-control-kit.ts';
import { CODE, DATA, HANDLER, imm32, type Session, withSession } from './tiny-guest.ts';

/** Sets the stops, lets the guest go, and gives what it says when it stops. */
async function message(session: Session): Promise<string> {
  const reason = await session.go();
  assert.equal(reason.kind, 'event');
  return reason.kind === 'event' ? reason.message : '';
}

function stopOn(session: Session, ...lines: readonly string[]): void {
  session.machine.stopOn(
    session,
    lines.map((line) => {
      const stop = parseStopOn(line);
      assert.ok(stop, line);
      return stop;
    }),
  );
}

/** Names of the hypercalls made so far. */
const made = ({ machine }: Session) => machine.hypercalls.read(0, 100).records.map(({ name }) => name);

describe('stops on demand', () => {
  // mov al, 0x41; out 0x80, al; in al, 0x81; jmp back
  const ports = { code: [0xb0, 0x41, 0xe6, 0x80, 0xe4, 0x81, ...jumpBack(6)] };

  test('on a port, in one direction or both, after the access', () =>
    withSession(ports, async (session) => {
      stopOn(session, 'port 0x80 write');
      assert.equal(await message(session), 'The guest wrote 0x41 to port 0x80 (1 byte).');
      assert.equal(session.register('rip'), CODE + 4n);
      stopOn(session, 'port 0x7f-0x85 read');
      assert.equal(await message(session), 'The guest read 0xff from port 0x81 (1 byte).');
      assert.equal(session.register('rip'), CODE + 6n);
      assert.equal(session.register('rax') & 0xffn, 0xffn);
      stopOn(session, 'exit io');
      for (const rip of [CODE + 4n, CODE + 6n, CODE + 4n]) {
        await message(session);
        assert.equal(session.register('rip'), rip);
      }
    }));

  test('on device memory', () =>
    // mov eax, 0xd0000000, where nothing is; mov dword [rax], 7; mov ecx, [rax]; jmp back; 1 GiB is mapped to it
    withSession(
      {
        code: [0xb8, ...imm32(0x4000_0000), 0xc7, 0x00, ...imm32(7), 0x8b, 0x08, ...jumpBack(13)],
        at1GiB: 0xd000_0083n,
      },
      async (session) => {
        stopOn(session, 'mmio 0xd0000000-0xd0000fff write');
        assert.equal(await message(session), 'The guest wrote 0x7 to device memory at 0xd0000000 (4 bytes).');
        assert.equal(session.register('rip'), CODE + 11n);
        stopOn(session, 'mmio 0xd0000003');
        assert.equal(await message(session), 'The guest read 0xffffffff from device memory at 0xd0000000 (4 bytes).');
        assert.equal(session.register('rcx'), 0xffff_ffffn);
      },
    ));

  const onMsr = () =>
    // mov ecx, LSTAR; mov eax, 0x1234; xor edx, edx; wrmsr; rdmsr; jmp back
    withSession(
      {
        code: [
          0xb9,
          ...imm32(0xc000_0082),
          0xb8,
          ...imm32(0x1234),
          0x31,
          0xd2,
          0x0f,
          0x30,
          0x0f,
          0x32,
          ...jumpBack(16),
        ],
      },
      async (session) => {
        stopOn(session, 'msr 0xc0000082 write');
        assert.equal(await message(session), 'The guest wrote 0x1234 to MSR 0xc0000082.');
        assert.equal(session.register('rip'), CODE + 14n);
        assert.equal(session.vcpu.msrs().find(({ name }) => name === 'LSTAR')?.value, '0x1234');
        stopOn(session, 'msr 0xc0000082');
        assert.equal(await message(session), 'The guest read 0x1234 from MSR 0xc0000082.');
        assert.equal(session.register('rax'), 0x1234n);
        stopOn(session);
        session.machine.insertBreakpoint('software', CODE + 12n, 1);
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.equal((await session.go()).kind, 'breakpoint');
      },
    );
  if (!lacks('msr-filter')) test('on an MSR, which gets what the guest wrote', onMsr);

  test("on an exception, before the first instruction of the guest's handler, which then runs", () =>
    // inc eax; ud2; jmp back; the handler skips the two bytes of ud2
    withSession(
      {
        code: [...INC_EAX, 0x0f, 0x0b, ...jumpBack(4)],
        vectors: [6],
        handler: [...INC_EBX, 0x48, 0x83, 0x04, 0x24, 2, 0x48, 0xcf],
      },
      async (session) => {
        stopOn(session, 'exception 6');
        for (const turn of [1n, 2n]) {
          assert.equal(await message(session), `The guest takes #UD invalid opcode at 0x${(CODE + 2n).toString(16)}.`);
          assert.equal(session.register('rip'), HANDLER);
          assert.equal(session.register('rax'), turn);
          assert.equal(session.register('rbx'), turn - 1n);
        }
        assert.deepEqual([...session.machine.readVirtual(0, HANDLER, 2)], INC_EBX);
      },
    ));

  test('with an error code', () =>
    // mov eax, [0x30000000], which is not mapped
    withSession({ code: [0x8b, 0x04, 0x25, ...imm32(0x3000_0000)], vectors: [14] }, async (session) => {
      stopOn(session, 'exception 14');
      assert.equal(
        await message(session),
        `The guest takes #PF page fault with error code 0x0 at 0x${CODE.toString(16)}.`,
      );
      assert.equal(session.register('cr2'), 0x3000_0000n);
    }));

  describe('on a control register, before the instruction that writes it', () => {
    // mov rax, cr3; mov r8, rax
    const readCr3 = [0x0f, 0x20, 0xd8, 0x49, 0x89, 0xc0];
    const writeCr3 = [0x41, 0x0f, 0x22, 0xd8];
    const CLTS = [0x0f, 0x06];
    const code = [...readCr3, ...writeCr3, ...INC_EBX, ...CLTS, ...jumpBack(14)];
    const [MOV, AFTER] = [CODE + 6n, CODE + 12n];

    test('in a code section of its file', () =>
      withSession({ code, codeSections: true }, async (session) => {
        stopOn(session, 'cr3');
        for (const turn of [0n, 1n]) {
          assert.equal(
            await message(session),
            'The guest is about to write 0x1000 to cr3, which holds 0x1000, by `mov cr3,r8`.',
          );
          assert.equal(session.register('rip'), MOV);
          assert.equal(session.register('rbx'), turn);
        }
        assert.deepEqual([...session.machine.readVirtual(0, CODE, code.length)], code);
        stopOn(session, 'cr3', 'cr0');
        assert.match(await message(session), /^The guest is about to change cr0, which holds 0x8.*, by `clts`\.$/);
        assert.equal(session.register('rip'), AFTER);
        assert.throws(() => stopOn(session, 'cr4'), /No instruction that writes cr4 is known/);
        assert.equal((await session.go({ kind: 'step' })).kind, 'step');
        stopOn(session);
        session.machine.insertBreakpoint('software', AFTER, 1);
        assert.equal((await session.go()).kind, 'breakpoint', 'nothing stops at what nobody asks for any more');
      }));

    test('for whoever still asks, when another leaves while the guest runs', () =>
      withSession({ code: [0x83, 0x3f, 0, 0x74, 0xfb, ...code], codeSections: true }, async (session) => {
        const other = {};
        stopOn(session, 'cr3');
        session.machine.stopOn(other, [{ kind: 'control-register', name: 'cr0' }]);
        const told = message(session);
        session.machine.stopOn(other, []);
        session.machine.memory.write(DATA, Uint8Array.of(1));
        assert.match(await told, /to cr3/);
        assert.match(await message(session), /to cr3/);
      }));

    test("of somebody's breakpoint that is there, only the breakpoint is told", () =>
      withSession({ code, codeSections: true }, async (session) => {
        stopOn(session, 'cr3');
        session.machine.insertBreakpoint('software', MOV, 1);
        assert.equal((await session.go()).kind, 'breakpoint');
        session.machine.removeBreakpoint('software', MOV, 1);
        assert.match(await message(session), /^The guest is about to write/);
        assert.equal(session.register('rbx'), 1n);
      }));

    test('in what the page tables let it execute but not write, where its file says nothing', () =>
      // The code goes on at 1 GiB, which is physical 0 without a right to write: mov eax, CODE + 1 GiB + 7; jmp rax
      withSession(
        { code: [0xb8, ...imm32(CODE + 0x4000_0007n), 0xff, 0xe0, ...code], at1GiB: 0x81n },
        async (session) => {
          stopOn(session, 'cr3');
          assert.match(await message(session), /by `mov cr3,r8`\.$/);
          assert.equal(session.register('rip'), MOV + 0x4000_0007n);
          assert.match(await message(session), /by `mov cr3,r8`\.$/);
          assert.equal(session.register('rbx'), 1n);
        },
      ));
  });

  test('on a hypercall of one number, also inside of a multicall, after it has been answered', () => {
    const call = (number: number, registers: GuestCall['registers']): GuestCall => ({ entry: 32 * number, registers });
    const version = call(17, { rdi: 0n });
    const yieldCpu = call(29, { rdi: 0n, rsi: 0n });
    const multicall = call(13, { rdi: ARGUMENTS, rsi: 1n });
    const inner = new Uint8Array(BigUint64Array.of(17n, 0n, 0n, 0n, 0n, 0n, 0n, 0n).buffer);
    return withSession(
      {
        code: callCode([yieldCpu, version, yieldCpu, multicall, yieldCpu], writeMsr(0x4000_0000, HYPERCALL_PAGE)),
        more: [{ gpa: ARGUMENTS, bytes: inner, name: 'arguments' }],
      },
      async (session) => {
        stopOn(session, 'hypercall xen 17');
        assert.equal(await message(session), 'The guest made the xen hypercall 0x11, xen_version: version.');
        assert.equal(session.register('rax'), 0x40011n);
        assert.deepEqual(made(session), ['sched_op: yield', 'xen_version: version']);
        assert.equal(await message(session), 'The guest made the xen hypercall 0x11, xen_version: version.');
        assert.deepEqual(made(session), [
          'sched_op: yield',
          'xen_version: version',
          'sched_op: yield',
          'xen_version: version',
          'multicall',
        ]);
        stopOn(session, 'hypercall');
        assert.match(await message(session), /^The guest made the xen hypercall 0x1d, sched_op: yield/);
        assert.throws(() => stopOn(session, 'hypercall hyperv 0x8'), /makes hypercalls of xen/);
      },
      { personality: 'xen' },
    );
  });

  test('on a call code of Hyper-V, whatever else is in its input value', () => {
    const FAST = 1n << 16n;
    const call = (rcx: bigint): GuestCall => ({ entry: 0, registers: { rcx, rdx: 0n, r8: 0n } });
    return withSession(
      {
        code: callCode([call(0x5dn | FAST), call(0x8n | FAST)]),
        more: [{ gpa: HYPERCALL_PAGE, bytes: singleEntryPage(), name: 'hypercall page' }],
      },
      async (session) => {
        stopOn(session, 'hypercall 8');
        assert.match(await message(session), /^The guest made the hyperv hypercall 0x8, \w+/);
        assert.equal(made(session).length, 2);
      },
      { personality: 'hyperv' },
    );
  });

  test('are refused with the reason where this machine cannot', () =>
    withSession(ports, async (session) => {
      for (const [line, words] of [
        ['cr3', /No instruction that writes cr3 is known/],
        ['hypercall', /KVM answers the hypercalls/],
        ['msr 0x800', /x2APIC/],
        ['port 0x20', /PIC master/],
        ['mmio 0x1000', /set a watchpoint/],
        ['mmio 0xfee00000', /local APIC/],
      ] as const) {
        assert.throws(
          () => stopOn(session, line),
          (error) => error instanceof BreakpointError && words.test(error.message),
          line,
        );
      }
      assert.deepEqual(session.machine.stopsOf(session), []);
      for (const line of [
        'port',
        'port x',
        'port 5-4',
        'port 0x10000',
        'exception 256',
        'exit hlt',
        'cr1',
        'msr 1-2',
        'msr 1 both',
        'hypercall vmware',
        'hypercall xen 1 2',
        'hypercall 1 xen',
      ])
        assert.equal(parseStopOn(line), undefined, line);
    }));

  test('on an exception whose gate the guest fills after it has loaded its IDT', () => {
    const PRESENT_BYTE = 0x9000n + 16n * 6n + 5n;
    // Until there is a 1 at RDI: cmp dword [rdi], 0; je; then mov byte [rsi], 0x8e; until it goes: cmp dword [rdi], 1; je; ud2
    const code = [0x83, 0x3f, 0, 0x74, 0xfb, 0xc6, 0x06, 0x8e, 0x83, 0x3f, 1, 0x74, 0xfb, 0x0f, 0x0b];
    return withSession({ code, vectors: [6] }, async (session) => {
      const { memory } = session.machine;
      session.setRegister('rdi', DATA);
      session.setRegister('rsi', PRESENT_BYTE);
      memory.write(PRESENT_BYTE, Uint8Array.of(0));
      stopOn(session, 'exception 6');
      const told = message(session);
      for (const value of [1, 2]) {
        // Long enough for a look at the gates.
        await delay(300);
        memory.write(DATA, Uint8Array.of(value));
      }
      assert.match(await told, /^The guest takes #UD/);
      assert.equal(session.register('rip'), HANDLER);
    });
  });
});
