/** Calls to a hypervisor that is in the guest itself, as Xen takes those of its paravirtual domains: traced without a stop. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BreakpointError } from '../../hypervisor-core/machine/api.ts';
import type { HypercallRecord } from '../../hypervisor-core/protocol/inspect.ts';
import { parseStopOn } from '../../hypervisor-core/protocol/stop-on.ts';
import { expression, regnum } from './run-control-kit.ts';
import { CODE, HIGH, imm32, type Session, type TinyGuest, withSession } from './tiny-guest.ts';

/** struct cpu_user_regs of the callers, one after the other, and what they point to. */
const FRAMES = 0x190000n;
const MEMORY = 0x1a0000n;
const FRAME_BYTES = 0x100n;
/** Of struct cpu_user_regs, by Xen's public header. */
const AT = {
  rbx: 40,
  r10: 56,
  r8: 72,
  rax: 80,
  rcx: 88,
  rdx: 96,
  rsi: 104,
  rdi: 112,
  rip: 128,
  cs: 136,
  rsp: 152,
} as const;
const CALLER = 0xffff_ffff_8100_0000n;
const CS64 = 0xe033n;
const CS32 = 0xe019n;

type Frame = Partial<Record<keyof typeof AT, bigint>>;

/** A 64-bit domain's call. What is in RCX is taken off RIP by whoever answers: 2 has the call made again. */
const call = (rax: number, rdi = 0n, rsi = 0n, rdx = 0n, rcx = 0n): Frame => ({
  ...{ rax: BigInt(rax), rdi, rsi, rdx, rcx, rip: CALLER, cs: CS64 },
});

function frame(registers: Frame): Uint8Array {
  const bytes = new Uint8Array(Number(FRAME_BYTES));
  const view = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(registers)) view.setBigUint64(AT[name as keyof typeof AT], value, true);
  return bytes;
}

/** Answers -RDI: mov rax, [rdi+112]; neg rax; mov [rdi+80], rax; mov rcx, [rdi+88]; sub [rdi+128], rcx; ret. */
const answer = [
  ...[0x48, 0x8b, 0x47, AT.rdi, 0x48, 0xf7, 0xd8, 0x48, 0x89, 0x47, AT.rax],
  ...[0x48, 0x8b, 0x4f, AT.rcx, 0x48, 0x29, 0x8f, ...imm32(AT.rip), 0xc3],
];
const MAKE_BYTES = 10;
/** mov edi, frame; call function: `count` of them, `body`, the end. The function is called in the high half, where it is linked. */
function guest(frames: readonly Frame[], body: readonly number[] = answer): TinyGuest & { readonly function: bigint } {
  const end = [0xe6, 0xf4];
  const length = frames.length * MAKE_BYTES + end.length;
  const make = (index: number) => [
    ...[0xbf, ...imm32(FRAMES + BigInt(index) * FRAME_BYTES)],
    ...[0xe8, ...imm32(length - (index + 1) * MAKE_BYTES)],
  ];
  return {
    code: [...frames.flatMap((_, index) => make(index)), ...end, ...body],
    more: frames.map((each, index) => ({
      gpa: FRAMES + BigInt(index) * FRAME_BYTES,
      bytes: frame(each),
      name: 'caller',
    })),
    function: CODE + BigInt(length),
  };
}

const records = (session: Session) => {
  const { records: list, dropped, total } = session.machine.hypercalls.read(0, 100_000);
  assert.deepEqual([dropped, total], [0, list.length]);
  return list;
};
const short = ({ name, result, resultText }: HypercallRecord) => `${name} = ${resultText ?? result}`;
const words = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
const memory = (bytes: Uint8Array, at = MEMORY) => ({ gpa: at, bytes, name: 'arguments' });
const stopOn = (session: Session, line: string) => session.machine.stopOn(session, [parseStopOn(line)!]);

describe('calls to a hypervisor in the guest', () => {
  const calls = [call(17), call(29, 1n), call(24, 22n), call(100, 3n)];
  const listed = [
    'xen_version: version = 0x0',
    'sched_op: block = -EPERM',
    'vcpu_op = -EINVAL',
    'hypercall 100 = -ESRCH',
  ];

  test('are listed with caller, name, arguments, result and duration, and stop nothing', () => {
    const made = guest(calls);
    return withSession(made, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      assert.equal((await session.goToEnd()).cause, 'debug-exit');
      const list = records(session);
      assert.deepEqual(list.map(short), listed);
      for (const { rip, vcpu, cpl, abi, caller, duration } of list) {
        assert.deepEqual([BigInt(rip), vcpu, cpl, abi, caller], [CALLER, 0, 3, 'xen', undefined]);
        assert.ok(duration !== undefined && duration > 0 && duration < 1e6, `${duration}`);
      }
      assert.deepEqual(list[1]?.arguments[0], { name: 'cmd', value: '0x1', text: 'block' });
    });
  });

  test('cost nothing where nobody wants them, or no more', () => {
    const made = guest(calls);
    return withSession(made, async (session) => {
      const { machine } = session;
      machine.recordCalls(session, [made.function]);
      machine.insertBreakpoint('software', CODE + BigInt(MAKE_BYTES), 1);
      await session.go();
      machine.recordCalls(session, []);
      assert.deepEqual(machine.recordedBy(session), []);
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), listed.slice(0, 1));
    });
  });

  test('that a breakpoint of somebody’s stops at are listed once', () => {
    const made = guest(calls);
    const condition = { conditions: [expression('reg', regnum('rsp'), 'end')], commands: [] };
    return withSession(made, async (session) => {
      const { machine } = session;
      machine.recordCalls(session, [made.function]);
      for (const options of [undefined, condition]) {
        machine.insertBreakpoint('software', made.function, 1, options);
        for (const _ of [1, 2]) {
          assert.deepEqual(await session.go(), { kind: 'breakpoint', address: made.function, hardware: false });
        }
        machine.removeBreakpoint('software', made.function, 1, options);
      }
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), listed);
    });
  });

  test('that are stepped through, by the instruction, are listed once', () => {
    const made = guest(calls);
    return withSession(made, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      for (let steps = 0; session.register('rip') !== CODE + BigInt(2 * MAKE_BYTES); steps++) {
        assert.ok(steps < 100);
        await session.go({ kind: 'step' });
      }
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), listed);
    });
  });

  test('stop the guest where they are taken, on request', () => {
    const made = guest([...calls, call(29, 5n)]);
    return withSession(made, async (session) => {
      assert.throws(() => stopOn(session, 'hypercall xen 29'), BreakpointError);
      session.machine.recordCalls(session, [made.function]);
      stopOn(session, 'hypercall xen 29');
      for (const name of ['sched_op: block', 'sched_op: shutdown_code']) {
        const message = `A domain makes the xen hypercall 0x1d, ${name}.`;
        assert.deepEqual(await session.go(), { kind: 'event', message });
        assert.equal(session.register('rip'), made.function);
      }
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), [...listed, 'sched_op: shutdown_code = -EIO']);
    });
  });

  test('that do not return are listed, without a result', () => {
    const made = guest([call(29, 2n, MEMORY)], [0xe6, 0xf4]);
    return withSession({ ...made, more: [...(made.more ?? []), memory(words(0n))] }, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      await session.goToEnd();
      const [last, ...others] = records(session);
      assert.equal(others.length, 0);
      assert.deepEqual([last?.name, last?.result, last?.duration], ['sched_op: shutdown', undefined, undefined]);
      assert.equal(last?.arguments[1]?.text, 'poweroff');
    });
  });

  test('by a stub are listed with where that returns to: behind what it saved, by a return or by a thunk for returns', () => {
    const [popR11, popRcx, ret, thunk, popEcx] = [[0x41, 0x5b], [0x59], [0xc3, 0xcc], [0xe9, 1, 2, 3, 4], [0x59]];
    const [codeAt, stackAt] = [MEMORY, MEMORY + 0x200n];
    const stubs = [
      { code: [...popR11, ...popRcx, ...ret], returns: 0xffff_ffff_8100_0333n },
      { code: [...popR11, ...popRcx, ...thunk], returns: 0xffff_ffff_8100_0333n },
      { code: ret, returns: 0xffff_ffff_8100_0111n },
      // With a word on top that only looks like one: the code goes on otherwise.
      { code: [...popR11, 0x48, 0x89, 0xc3, ...ret], returns: undefined },
      { code: [0x41, ...ret], returns: undefined },
      { code: [...popEcx, ...ret], cs: CS32, returns: 0xffff_ffffn },
      // Its stack is not mapped.
      { code: ret, rsp: 0x7fff_0000_0000n, returns: undefined },
    ];
    const frames = stubs.map(({ cs = CS64, rsp = stackAt }, index): Frame => {
      return { rax: 17n, rip: codeAt + BigInt(0x20 * index), rsp, cs };
    });
    const code = Buffer.concat(stubs.map((stub) => Buffer.concat([Buffer.from(stub.code)], 0x20)));
    const stack = words(0xffff_ffff_8100_0111n, 0xffff_ffff_8100_0222n, 0xffff_ffff_8100_0333n);
    const made = guest(frames);
    const more = [...(made.more ?? []), memory(code), memory(stack, stackAt)];
    return withSession({ ...made, more }, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      await session.goToEnd();
      assert.deepEqual(
        records(session).map(({ caller }) => (caller === undefined ? undefined : BigInt(caller))),
        stubs.map(({ returns }) => returns),
      );
    });
  });

  test('of other conventions than a 64-bit domain’s are not taken for it', () => {
    const compat: Frame = { rax: 24n, rbx: 6n, rcx: 0n, rdx: 0x1_0000_0007n, rdi: 38n, rip: 0xc010_0000n, cs: CS32 };
    const made = guest([compat, { ...call(24, 6n, 7n), cs: 0x33n }]);
    return withSession(made, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      await session.goToEnd();
      const list = records(session);
      assert.deepEqual(list.map(short), [
        'vcpu_op: set_periodic_timer = -ENOSYS',
        'vcpu_op: set_periodic_timer = -ENXIO',
      ]);
      assert.deepEqual(
        list.map(({ cpl, arguments: given }) => [cpl, ...given.map(({ value }) => value)]),
        [
          [1, '0x6', '0x0', '0x7'],
          [3, '0x6', '0x7', '0x0'],
        ],
      );
    });
  });

  test('say what they are about, what a multicall made, and which are made again or go elsewhere', () => {
    const entry = (op: bigint, result: bigint, ...values: bigint[]) => [
      ...[op, result, ...values],
      ...Array(6 - values.length).fill(0n),
    ];
    const list = words(...entry(14n, 0n, 0x1000n, 2n), ...entry(26n, -22n, MEMORY, 1n), ...entry(17n, 7n));
    const made = guest([
      call(18, 0n, 6n, MEMORY + 0x100n),
      call(26, MEMORY, 1n),
      // The answer is a pointer's negative: of a multicall that failed nothing is known.
      call(13, MEMORY + 0x200n, 3n),
      call(12, 6n, 0n, 0n, 2n),
      call(23, 5n),
    ]);
    const more = [
      ...(made.more ?? []),
      memory(words(BigInt(19))),
      memory(Buffer.from('hello\n'), MEMORY + 0x100n),
      memory(list, MEMORY + 0x200n),
    ];
    return withSession({ ...made, more }, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      await session.goToEnd();
      const found = records(session);
      assert.deepEqual(
        found.map(({ name, result }) => [name, result !== undefined]),
        [
          ['console_io: write', true],
          ['mmuext_op: MARK_SUPER', true],
          ['multicall', true],
          ['memory_op: populate_physmap', false],
          ['iret', false],
        ],
      );
      assert.equal(found[0]?.arguments[2]?.text, 'hello\\n');
      assert.equal(found[3]?.arguments[0]?.text, 'populate_physmap');
    });
  });

  test('of a multicall that did well are listed before it', () => {
    const entry = (op: bigint, result: bigint, ...values: bigint[]) => [
      ...[op, result, ...values],
      ...Array(6 - values.length).fill(0n),
    ];
    // At address 0, whose negative is no error.
    const list = words(...entry(14n, 0n, 0x1000n, 2n), ...entry(17n, BigInt.asUintN(64, -38n)), ...entry(29n, 0n));
    const made = guest([call(13, 0n, 3n)]);
    return withSession({ ...made, more: [...(made.more ?? []), memory(list, 0n)] }, async (session) => {
      session.machine.recordCalls(session, [made.function]);
      await session.goToEnd();
      assert.deepEqual(records(session).map(short), [
        'update_va_mapping = 0x0',
        'xen_version: version = -ENOSYS',
        'sched_op: yield = 0x0',
        'multicall = 0x0',
      ]);
    });
  });

  test('many are all there, whoever asks and leaves while the guest runs', () => {
    const TURNS = 1000;
    // mov ebx, TURNS; mov edi, frame; mov qword [rdi+80], 17; call function; dec ebx; jnz back; the end
    const setUp = [0xbb, ...imm32(TURNS)];
    const turn = [0xbf, ...imm32(FRAMES), 0x48, 0xc7, 0x47, AT.rax, ...imm32(17), 0xe8, ...imm32(6), 0xff, 0xcb];
    const code = [...setUp, ...turn, 0x75, 0x100 - turn.length - 2, 0xe6, 0xf4, ...answer];
    const place = CODE + BigInt(code.length - answer.length);
    return withSession({ code, more: [memory(frame(call(17)), FRAMES)] }, async (session) => {
      const { machine } = session;
      machine.recordCalls(session, [place]);
      const count = expression('getv', 1, 'const8', 1, 'add', 'setv', 1, 'const8', 0, 'equal', 'end');
      machine.insertBreakpoint('software', place, 1, { conditions: [count], commands: [] });
      const ended = session.goToEnd();
      for (const other of [{}, {}, {}]) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        machine.recordCalls(other, [place]);
        machine.recordCalls(other, []);
      }
      await ended;
      const list = records(session);
      assert.deepEqual([list.length, machine.variables.get(1)], [TURNS, BigInt(TURNS)]);
      assert.ok(list.every((each) => short(each) === 'xen_version: version = 0x0'));
    });
  });
});

test('calls are traced where the hypervisor has its second mapping, by its own addresses', () => {
  const made = guest([call(17)]);
  // mov rax, HIGH + the rest; jmp rax
  const high = HIGH + CODE + 12n;
  const jump = [0x48, 0xb8, ...new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, high)).buffer), 0xff, 0xe0];
  return withSession({ ...made, code: [...jump, ...made.code] }, async (session) => {
    session.machine.recordCalls(session, [HIGH + made.function + 12n]);
    await session.goToEnd();
    assert.deepEqual(records(session).map(short), ['xen_version: version = 0x0']);
  });
});
