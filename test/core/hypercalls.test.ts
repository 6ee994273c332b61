/** Guests that make calls in all three conventions: what they log of themselves is what the trace says, call by call. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BootImage } from '../../hypervisor-core/boot/boot-image.ts';
import { indexedPage, singleEntryPage } from '../../hypervisor-core/hypercalls/hypercall-page.ts';
import type { HypercallRecord, Personality } from '../../hypervisor-core/protocol/inspect.ts';
import { ARGUMENTS, callCode, type GuestCall, HYPERCALL_PAGE, loadXmm, logged, writeMsr } from './call-guest.ts';
import { lacks } from './run-control-kit.ts';
import { CODE, HANDLER, imm32, Session, tinyImage, withSession } from './tiny-guest.ts';

const words = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
const at = (gpa: bigint, bytes: Uint8Array) => ({ gpa, bytes, name: 'arguments' });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const unsigned = (value: bigint) => BigInt.asUintN(64, value);

/** Runs the calls of a guest to its end; its log must agree with the trace on every result. */
async function run(
  personality: Personality,
  calls: readonly GuestCall[],
  { before = [], memory = [] as Uint8Array[] }: { before?: number[]; memory?: Uint8Array[] } = {},
  check: (records: readonly HypercallRecord[], session: Session) => void,
): Promise<void> {
  const more = memory.map((bytes, index) => at(ARGUMENTS + BigInt(0x1000 * index), bytes));
  await withSession(
    { code: callCode(calls, before), more },
    async (session) => {
      assert.equal((await session.goToEnd()).cause, 'debug-exit');
      const { records, dropped } = session.machine.hypercalls.read(0, 1000);
      assert.equal(dropped, 0);
      const results = logged((gpa, length) => session.machine.memory.read(gpa, length), calls.length);
      // Calls inside of a multicall are recorded before it; the guest logged the multicall itself.
      const outer = records.filter((_, index) => !innerOf(records, index));
      assert.deepEqual(
        outer.map(({ result }) => BigInt(result ?? -1)),
        results,
      );
      check(records, session);
      for (const record of records) {
        assert.deepEqual([record.cpl, record.vcpu, record.abi], [0, 0, personality]);
        assert.ok(BigInt(record.caller ?? 0n) > CODE && BigInt(record.caller ?? 0n) < HANDLER);
      }
    },
    { personality },
  );
}

/** True for a record that a later multicall made: it has that one's place in the code. */
const innerOf = (records: readonly HypercallRecord[], index: number) =>
  records.slice(index + 1).some(({ caller }) => caller === records[index]?.caller);

const short = ({ name, resultText, result }: HypercallRecord) => `${name} = ${resultText ?? result}`;

describe('Xen', () => {
  const xenCall = (number: number, ...values: bigint[]): GuestCall => ({
    entry: 32 * number,
    registers: Object.fromEntries(
      values.map((value, index) => [(['rdi', 'rsi', 'rdx', 'r10', 'r8'] as const)[index]!, value]),
    ),
  });
  const page = writeMsr(0x4000_0000, HYPERCALL_PAGE);
  const [first, second, third] = [ARGUMENTS, ARGUMENTS + 0x1000n, ARGUMENTS + 0x2000n];

  test('calls with up to five arguments, known, wrong and unknown', () =>
    run(
      'xen',
      [
        xenCall(17, 0n),
        xenCall(18, 0n, 6n, first),
        xenCall(18, 0n, 6n, 0xdead_0000_0000n),
        xenCall(17, 99n),
        xenCall(39, 1n, 2n, 3n, 4n, 5n),
        xenCall(100),
      ],
      { before: page, memory: [Buffer.from('hello\n')] },
      (records, session) => {
        assert.deepEqual(records.map(short), [
          'xen_version: version = 0x40011',
          'console_io: write = 0x0',
          'console_io: write = -EFAULT',
          'xen_version = -ENOSYS',
          'argo_op = -ENOSYS',
          'hypercall 100 = -ENOSYS',
        ]);
        assert.deepEqual(
          records[4]!.arguments.map(({ value }) => value),
          ['0x1', '0x2', '0x3', '0x4', '0x5'],
        );
        assert.equal(text(session.machine.console.history()), 'hello\n');
      },
    ));

  test('a multicall and what it makes', () => {
    const entry = (op: bigint, ...values: bigint[]) => [op, 0xffffn, ...values, ...Array(6 - values.length).fill(0n)];
    const list = words(...entry(17n, 0n), ...entry(18n, 0n, 3n, second), ...entry(63n), ...entry(13n, 0n, 0n));
    return run(
      'xen',
      [xenCall(13, first, 4n), xenCall(13, 0xdead_0000_0000n, 1n), xenCall(13, first, 100_000n)],
      { before: page, memory: [list, Buffer.from('abc')] },
      (records, session) => {
        assert.deepEqual(records.map(short), [
          'xen_version: version = 0x40011',
          'console_io: write = 0x0',
          'hypercall 63 = -ENOSYS',
          'multicall = -EINVAL',
          'multicall = 0x0',
          'multicall = -EFAULT',
          'multicall = -E2BIG',
        ]);
        const results = [0, 1, 2, 3].map((index) =>
          Buffer.from(session.machine.memory.read(first + BigInt(64 * index + 8), 8)).readBigInt64LE(),
        );
        assert.deepEqual(results, [0x40011n, 0n, -38n, -22n]);
        assert.equal(text(session.machine.console.history()), 'abc');
      },
    );
  });

  test('event channels: bound, sent, masked, closed, and seen in the shared-info page', () => {
    const SHARED = 0x1a0000n;
    const physmap = new Uint8Array(24);
    const view = new DataView(physmap.buffer);
    view.setUint16(0, 0x7ff0, true);
    view.setBigUint64(16, SHARED >> 12n, true);
    const send = new Uint8Array(Uint32Array.of(1).buffer);
    return run(
      'xen',
      [
        xenCall(12, 7n, first),
        xenCall(32, 7n, second),
        xenCall(32, 4n, third),
        xenCall(32, 3n, third),
        xenCall(32, 4n, third),
      ],
      { before: page, memory: [physmap, new Uint8Array(8), send] },
      (records, session) => {
        assert.deepEqual(records.map(short), [
          'memory_op: add_to_physmap = 0x0',
          'event_channel_op: bind_ipi = 0x0',
          'event_channel_op: send = 0x0',
          'event_channel_op: close = 0x0',
          'event_channel_op: send = -EINVAL',
        ]);
        const { memory } = session.machine;
        assert.equal(Buffer.from(memory.read(second + 4n, 4)).readUInt32LE(), 1);
        // evtchn_upcall_pending and the selector stay; closing has taken the pending bit away.
        assert.deepEqual([memory.read(SHARED, 1)[0], memory.read(SHARED + 8n, 1)[0]], [1, 1]);
        assert.equal(memory.read(SHARED + 0x800n, 1)[0], 0);
      },
    );
  });

  test('user code that may use ports gets -EPERM, and what may not a general protection fault', async () => {
    const code = callCode([xenCall(17, 0n)]);
    const more = [at(HYPERCALL_PAGE, indexedPage([]))];
    const IOPL_3 = 0x3002n;
    for (const [flags, ioMap, records] of [
      [IOPL_3, true, 1],
      [IOPL_3, false, lacks('user-iopl') ? 0 : 1],
      [2n, false, 0],
    ] as const) {
      // hlt in the handler of #GP would stand still: out 0xf4, al instead
      await withSession(
        { code, more, user: true, ioMap, vectors: [13], handler: [0xe6, 0xf4] },
        async (session) => {
          session.vcpu.registers.write('eflags', new Uint8Array(imm32(flags)));
          await session.goToEnd();
          const { records: made } = session.machine.hypercalls.read(0, 10);
          assert.equal(made.length, records);
          for (const record of made) assert.deepEqual([record.cpl, record.resultText], [3, '-EPERM']);
        },
        { personality: 'xen' },
      );
    }
  });
});

describe('Hyper-V', () => {
  const hv = (control: bigint, rdx = 0n, r8 = 0n): GuestCall => ({ entry: 0, registers: { rcx: control, rdx, r8 } });
  const FAST = 1n << 16n;
  const reps = (count: bigint, start = 0n) => (count << 32n) | (start << 48n);
  const page = [...writeMsr(0x4000_0000, 0x8100n), ...writeMsr(0x4000_0001, HYPERCALL_PAGE | 1n)];
  const OUTPUT = ARGUMENTS + 0x2000n;
  const vpInput = (...names: number[]) =>
    Buffer.concat([words(0xffff_ffff_ffff_ffffn, 0xffff_fffen), new Uint8Array(Uint32Array.from(names).buffer)]);

  test('calls by memory, fast, with repetitions and with XMM registers, and wrong ones', () => {
    const xmm = words(0x1111n, 0x2222n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n);
    return run(
      'hyperv',
      [
        hv(0x8n | FAST, 1n),
        hv(0x5dn | FAST, 7n),
        hv(0x5cn, ARGUMENTS),
        hv(0x8001n, 0n, OUTPUT),
        hv(0x50n | reps(2n), ARGUMENTS, OUTPUT),
        hv(0x50n | reps(3n, 1n), ARGUMENTS, OUTPUT),
        hv(0x2n | FAST, 1n, 2n),
        hv(0xbn | FAST, 8n, 1n),
        hv(0x50n, ARGUMENTS, OUTPUT),
        hv(0x8n | FAST | reps(1n)),
        hv(0x8n | FAST | (1n << 31n)),
        hv(0x5cn, ARGUMENTS + 4n),
        hv(0x5cn, 0xffff_ffff_0000n),
        hv(0x7777n),
      ],
      { before: [...page, ...loadXmm(ARGUMENTS + 0x1000n)], memory: [vpInput(0x90003, 0x90002, 0x12345), xmm] },
      (records, session) => {
        assert.deepEqual(records.map(short), [
          'HvCallNotifyLongSpinWait = HV_STATUS_SUCCESS',
          'HvCallSignalEvent = HV_STATUS_INVALID_CONNECTION_ID',
          'HvCallPostMessage = HV_STATUS_INVALID_CONNECTION_ID',
          'HvExtCallQueryCapabilities = HV_STATUS_SUCCESS',
          'HvCallGetVpRegisters = HV_STATUS_SUCCESS, 2 of 2 done',
          'HvCallGetVpRegisters = HV_STATUS_INVALID_PARAMETER, 2 of 3 done',
          'HvCallFlushVirtualAddressSpace = HV_STATUS_INVALID_HYPERCALL_CODE',
          'HvCallSendSyntheticClusterIpi = HV_STATUS_INVALID_PARAMETER',
          'HvCallGetVpRegisters = HV_STATUS_INVALID_HYPERCALL_INPUT',
          'HvCallNotifyLongSpinWait = HV_STATUS_INVALID_HYPERCALL_INPUT, 0 of 1 done',
          'HvCallNotifyLongSpinWait = HV_STATUS_INVALID_HYPERCALL_INPUT',
          'HvCallPostMessage = HV_STATUS_INVALID_ALIGNMENT',
          'HvCallPostMessage = HV_STATUS_INVALID_ALIGNMENT',
          'call 0x7777 = HV_STATUS_INVALID_HYPERCALL_CODE',
        ]);
        assert.equal(records[6]!.arguments[1]?.text, 'XMM, AddressSpace=0x1, Flags=0x2, ProcessorMask=0x1111');
        const values = Buffer.from(session.machine.memory.read(OUTPUT, 32));
        assert.deepEqual([values.readBigUInt64LE(0), values.readBigUInt64LE(16)], [0n, 0x8100n]);
      },
    );
  });

  test('user code gets #UD', () =>
    withSession(
      {
        code: callCode([hv(0x8n | FAST)]),
        more: [at(HYPERCALL_PAGE, singleEntryPage())],
        ...{ user: true, ioMap: true, vectors: [6], handler: [0xe6, 0xf4] },
      },
      async (session) => {
        session.vcpu.registers.write('eflags', new Uint8Array(imm32(0x3002)));
        assert.equal((await session.goToEnd()).cause, 'debug-exit');
        assert.ok(session.register('rip') >= HANDLER && session.register('rip') < HANDLER + 4n);
      },
      { personality: 'hyperv' },
    ));
});

/** A kernel of one code segment, as an ELF file would have it. */
function kernelImage(code: readonly number[]): BootImage {
  const image = tinyImage({ code });
  const segments = image.segments.map((segment) =>
    segment.gpa === CODE
      ? { ...segment, code: { bits: 64 as const, ranges: [{ start: 0, end: code.length }] } }
      : segment,
  );
  return { ...image, segments };
}

test('calls by an instruction in the kernel are traced, as KVM’s or as Xen’s', async () => {
  for (const instruction of [
    [0x0f, 0x01, 0xc1],
    [0x0f, 0x01, 0xd9],
  ]) {
    const kvmCalls: GuestCall[] = [1n, 99n].map((rax) => ({ registers: { rax }, instruction }));
    const xenCalls: GuestCall[] = [{ registers: { rax: 17n, rdi: 0n }, instruction }];
    for (const [personality, calls, expected] of [
      ['kvm', kvmCalls, ['KVM_HC_VAPIC_POLL_IRQ = 0x0', 'hypercall 99 = -ENOSYS']],
      ['xen', xenCalls, ['xen_version: version = 0x40011']],
    ] as const) {
      const session = await Session.startImage(kernelImage(callCode(calls)), { personality });
      try {
        assert.equal(session.machine.info.callSites, calls.length);
        await session.goToEnd();
        const { records } = session.machine.hypercalls.read(0, 10);
        assert.deepEqual(records.map(short), expected);
        assert.deepEqual(
          records.map(({ result }) => BigInt(result ?? -1)),
          logged((gpa, length) => session.machine.memory.read(gpa, length), calls.length),
        );
        assert.ok(records.every(({ caller }) => caller === undefined));
      } finally {
        await session.machine.close();
      }
    }
  }
});

test('KVM answers its own calls, from both rings', async () => {
  const VMMCALL = [0x0f, 0x01, 0xd9];
  const calls: GuestCall[] = [
    { registers: { rax: 1n }, instruction: VMMCALL },
    { registers: { rax: 99n }, instruction: VMMCALL },
  ];
  for (const [user, expected] of [
    [false, [0n, unsigned(-1000n)]],
    [true, [unsigned(-1n), unsigned(-1n)]],
  ] as const) {
    await withSession(
      { code: callCode(calls), user },
      async (session) => {
        if (!session.machine.info.host.facts.some(({ id, answer }) => id === 'vmcall-returns' && answer === 'yes'))
          return;
        if (user) session.vcpu.registers.write('eflags', new Uint8Array(imm32(0x3002)));
        await session.goToEnd();
        assert.deepEqual(
          logged((gpa, length) => session.machine.memory.read(gpa, length), 2),
          expected,
        );
      },
      { personality: 'kvm' },
    );
  }
});
