/** A disk under a guest: requests that the test has laid out in memory, handed over and waited for by a few instructions. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { waitingInterrupts } from '../../hypervisor-core/interrupts/why-held.ts';
import { MachineError } from '../../hypervisor-core/machine/machine.ts';
import { restoreMachine } from '../../hypervisor-core/machine/restored-machine.ts';
import { patience } from '../patience.ts';
import { halted } from './halted.ts';
import { lacks } from './run-control-kit.ts';
import { CODE, DATA, HANDLER, imm32, Session, type TinyGuest, withSession } from './tiny-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-disk-'));
after(() => rmSync(folder, { recursive: true }));

const VECTOR = 0x41;
const [DESCRIPTORS, AVAILABLE, USED] = [DATA, DATA + 0x1000n, DATA + 0x2000n];
const [HEADERS, STATUS, READ, WRITTEN] = [DATA + 0x3000n, DATA + 0x3100n, DATA + 0x4000n, DATA + 0x5000n];
/** What is there before the device writes a status. */
const UNANSWERED = 0xee;
/** The disk's BAR, as the page at 1 GiB shows it, in RBX. */
const DISK_BAR = 0x4002_0000;
const [NEXT, WRITABLE] = [1, 2];

/** mov [rbx + offset], value */
const store = {
  byte: (offset: number, value: number) => [0xc6, 0x83, ...imm32(offset), value],
  word: (offset: number, value: number) => [0x66, 0xc7, 0x83, ...imm32(offset), value & 0xff, value >> 8],
  double: (offset: number, value: number | bigint) => [0xc7, 0x83, ...imm32(offset), ...imm32(value)],
};
const outDouble = (port: number, value: number) => [
  ...[0x66, 0xba, port & 0xff, port >> 8, 0xb8, ...imm32(value)],
  0xef,
];

/** Where messages go: to the local APIC of the first vCPU, and to that of a second one. */
const [FIRST_APIC, SECOND_APIC] = [0xfee0_0000, 0xfee0_1000];

/** Starts the device with MSI-X on, hands the requests over, and sleeps. `address` is its message's. */
const programFor = (address: number) => [
  // mov eax, 0xfee000f0; mov dword [rax], 0x1ff: the local APIC is on
  ...[0xb8, ...imm32(0xfee0_00f0), 0xc7, 0x00, ...imm32(0x1ff)],
  ...[0xbb, ...imm32(DISK_BAR)],
  ...outDouble(0xcf8, 0x8000_1840),
  ...outDouble(0xcfc, 0x8000_0000),
  ...[...store.double(0x4000, address), ...store.double(0x4008, VECTOR), ...store.double(0x400c, 0)],
  ...[...store.byte(0x14, 3), ...store.double(0x08, 1), ...store.double(0x0c, 1), ...store.byte(0x14, 0x0b)],
  ...[...store.word(0x16, 0), ...store.word(0x18, 8), ...store.word(0x1a, 0)],
  ...[...store.double(0x20, DESCRIPTORS), ...store.double(0x28, AVAILABLE), ...store.double(0x30, USED)],
  ...[...store.word(0x1c, 1), ...store.byte(0x14, 0x0f)],
  ...store.word(0x3000, 0),
  // again: sti; hlt; jmp again
  ...[0xfb, 0xf4, 0xeb, 0xfc],
];
const program = programFor(FIRST_APIC);
/** Where the device is told of requests, and where the guest waits. */
const ASLEEP = CODE + BigInt(program.length - 4);
const NOTIFY = ASLEEP - BigInt(store.word(0, 0).length);
/** cmp byte [USED + 2], 2; jae done; end of interrupt; iretq; done: xor eax, eax; out 0xf4, al */
const handler = [
  ...[0x80, 0x3c, 0x25, ...imm32(USED + 2n), 2, 0x73, 0x0d],
  ...[0xb8, ...imm32(0xfee0_00b0), 0xc7, 0x00, ...imm32(0), 0x48, 0xcf],
  ...[0x31, 0xc0, 0xe6, 0xf4],
];
/** Places in the handler: how many answers are enough, the end of an interrupt, and what comes after the last. */
const [WANTED, END_OF_INTERRUPT] = [7n, 10n];
const DONE = HANDLER + BigInt(handler.length - 4);

/** Writes 1,024 bytes at sector 2, then reads 1,536 from sector 1. */
function requests(): TinyGuest {
  const table = Buffer.alloc(6 * 16);
  const describeAt = (index: number, gpa: bigint, length: number, flags: number) => {
    table.writeBigUInt64LE(gpa, 16 * index);
    table.writeUInt32LE(length, 16 * index + 8);
    table.writeUInt16LE(flags, 16 * index + 12);
    table.writeUInt16LE(index + 1, 16 * index + 14);
  };
  const headers = Buffer.alloc(32);
  for (const [index, [type, sector]] of [
    [1, 2n],
    [0, 1n],
  ].entries() as Iterable<[number, [number, bigint]]>) {
    headers.writeUInt32LE(type, 16 * index);
    headers.writeBigUInt64LE(sector, 16 * index + 8);
    describeAt(3 * index, HEADERS + 16n * BigInt(index), 16, NEXT);
    describeAt(3 * index + 2, STATUS + BigInt(index), 1, WRITABLE);
  }
  describeAt(1, WRITTEN, 1024, NEXT);
  describeAt(4, READ, 1536, NEXT | WRITABLE);
  const more = (gpa: bigint, bytes: Uint8Array) => ({ gpa, bytes, name: 'test' });
  return {
    code: program,
    handler,
    vectors: [VECTOR],
    at1GiB: 0xfe00_0000n | 0x83n,
    more: [
      more(DESCRIPTORS, table),
      more(AVAILABLE, Buffer.from(Uint16Array.of(0, 2, 0, 3).buffer)),
      more(HEADERS, headers),
      more(STATUS, Buffer.from([UNANSWERED, UNANSWERED])),
      more(WRITTEN, Buffer.alloc(1024, 0x77)),
    ],
  };
}

describe('a disk', { timeout: patience(120_000) }, () => {
  for (const persist of [false, true]) {
    test(`is read and written by its guest, ${persist ? 'and persists' : 'and the file stays as it was'}`, () => {
      const path = join(folder, 'image');
      const before = Buffer.from(Array.from({ length: 8 * 512 }, (_, at) => Math.floor(at / 512)));
      writeFileSync(path, before);
      return withSession(
        requests(),
        async (session) => {
          const { cause, exitStatus } = await session.goToEnd();
          assert.deepEqual({ cause, exitStatus }, { cause: 'debug-exit', exitStatus: 1 });
          const { memory } = session.machine;
          assert.deepEqual([...memory.read(STATUS, 2)], [0, 0]);
          const expected = Buffer.alloc(1536, 0x77).fill(1, 0, 512);
          assert.deepEqual(Buffer.from(memory.read(READ, 1536)), expected);
          const after = Buffer.from(before);
          if (persist) after.fill(0x77, 1024, 2048);
          assert.deepEqual(readFileSync(path), after);
          const registers = session.machine.devices().flatMap(({ registers: list }) => list);
          assert.ok(registers.some(({ name, text }) => name === 'virtio-blk queue 0' && text === '2 chains finished'));
          const [message, ...others] = session.machine.messages().filter(({ sent }) => sent > 0);
          assert.deepEqual(others, []);
          assert.deepEqual([message?.device, message?.index, message?.data], ['virtio-blk', 0, VECTOR]);
          assert.equal(message?.last?.taken, true);
          const logged = session.machine.interruptLog(100).records.filter(({ source }) => source === 'message');
          assert.equal(logged.length, message?.sent);
          const { last } = message;
          assert.deepEqual(
            logged.slice(-1).map(({ address, data, outcome }) => ({ address, data, taken: outcome === 'requested' })),
            [{ address: last?.address, data: last?.data, taken: true }],
          );
        },
        { disk: { path, persist } },
      );
    });
  }

  test('whose messages no local APIC takes is answered, and its interrupt is lost, as the view says', () => {
    const path = join(folder, 'deaf');
    writeFileSync(path, Buffer.alloc(8 * 512));
    return withSession(
      { ...requests(), code: programFor(SECOND_APIC) },
      async ({ machine }) => {
        const sent = () => machine.messages().find(({ device }) => device === 'virtio-blk')?.sent ?? 0;
        let interrupts = await halted(machine);
        while (sent() === 0) interrupts = await halted(machine);
        assert.deepEqual([...machine.memory.read(STATUS, 1)], [0]);
        const lapics = interrupts.lapic ? [interrupts.lapic] : [];
        assert.deepEqual(lapics[0]?.irr, []);
        assert.equal(machine.interruptLog(1).records[0]?.outcome, 'lost');
        const waiting = waitingInterrupts({
          interrupts: { ...interrupts, messages: machine.messages() },
          interruptsEnabled: true,
          lapics,
        });
        assert.deepEqual(
          waiting.filter(({ source }) => source === 'virtio-blk MSI-X 0').map(({ links }) => links.at(-1)?.text),
          ['physical 0x01 is no local APIC; there are ids 0: this message is lost'],
        );
      },
      { disk: { path, persist: false } },
    );
  });

  test('that is not there is an error of its option', async () => {
    await assert.rejects(
      Session.start({ code: [0xf4] }, { disk: { path: join(folder, 'none'), persist: false } }),
      (error) => error instanceof MachineError && error.option === 'disk' && /no such file/.test(error.message),
    );
  });
});

describe('a snapshot', { timeout: patience(120_000) }, () => {
  const path = join(folder, 'snapshotted');
  const disk = { path, persist: false };
  const image = Buffer.from(Array.from({ length: 8 * 512 }, (_, at) => Math.floor(at / 512)));
  before(() => writeFileSync(path, image));

  /** Sectors 1 to 3, each of one byte, as the guest has read them. */
  const sectorsRead = ({ machine }: Session) => [0n, 512n, 1024n].map((at) => machine.memory.read(READ + at, 1)[0]);

  /** Has a guest that stands at {@link DONE} ask for more and wait for it; `ring` is all that it ever asked for. */
  async function ask(session: Session, ring: readonly number[]): Promise<void> {
    const { memory } = session.machine;
    memory.write(AVAILABLE, Buffer.from(Uint16Array.of(0, ring.length, ...ring).buffer));
    memory.write(HANDLER + WANTED, Uint8Array.of(ring.length));
    memory.write(session.register('rsp'), Buffer.from(BigUint64Array.of(NOTIFY).buffer));
    session.setRegister('rip', HANDLER + END_OF_INTERRUPT);
    assert.equal((await session.go()).kind, 'breakpoint');
  }

  async function goBack(session: Session, body: Promise<unknown>): Promise<void> {
    await body;
    assert.deepEqual(await session.next(), { vcpu: 0, reason: { kind: 'entry' } });
  }

  test('holds the disk as the guest has written it', () =>
    withSession(
      requests(),
      async (session) => {
        const { snapshots, memory } = session.machine;
        session.machine.insertBreakpoint('software', DONE, 1);
        await session.go();
        await snapshots.take('first');
        memory.write(WRITTEN, Buffer.alloc(1024, 0x55));
        await ask(session, [0, 3, 0, 3]);
        assert.deepEqual(sectorsRead(session), [1, 0x55, 0x55]);
        await snapshots.take('second');
        for (const [name, ring, byte] of [
          ['first', [0, 3, 3], 0x77],
          ['second', [0, 3, 0, 3, 3], 0x55],
        ] as const) {
          await goBack(session, snapshots.restore(name));
          memory.write(READ, new Uint8Array(1536));
          await ask(session, ring);
          assert.deepEqual(sectorsRead(session), [1, byte, byte], name);
        }
        await goBack(session, snapshots.restart());
        // The first request, a write, becomes a flush.
        memory.write(HEADERS, Uint8Array.of(4));
        assert.equal((await session.go()).kind, 'breakpoint');
        assert.deepEqual(sectorsRead(session), [1, 2, 3]);
        assert.deepEqual(readFileSync(path), image);
      },
      { disk },
    ));

  test('of a guest that waits for its disk is answered after each way back', () =>
    withSession(
      requests(),
      async (session) => {
        const { snapshots, memory } = session.machine;
        session.machine.insertBreakpoint('software', ASLEEP, 1);
        const answers = () => [...memory.read(USED + 2n, 1), ...memory.read(STATUS, 2)];
        await session.go();
        // The disk may be faster than the breakpoint; the guest is then started anew.
        while (!answers().includes(UNANSWERED)) {
          await goBack(session, snapshots.restart());
          await session.go();
        }
        await snapshots.take('asked');
        const asked = answers();
        assert.ok(asked.includes(UNANSWERED));
        session.machine.removeBreakpoint('software', ASLEEP, 1);
        for (let turn = 0; turn < 3; turn++) {
          assert.equal((await session.goToEnd()).cause, 'debug-exit');
          assert.deepEqual([...memory.read(STATUS, 2)], [0, 0]);
          assert.deepEqual(sectorsRead(session), [1, 0x77, 0x77]);
          await goBack(session, snapshots.restore('asked'));
          assert.deepEqual(answers(), asked);
        }
      },
      { disk },
    ));

  test('in a file holds what differs from the image, which another machine is given again', async () => {
    const file = join(folder, 'snapshot');
    await withSession(
      requests(),
      async (session) => {
        session.machine.insertBreakpoint('software', DONE, 1);
        await session.go();
        await session.machine.snapshots.take('written');
        await session.machine.snapshots.save('written', file);
      },
      { disk, cpu: { hide: ['pni'], expose: [] } },
    );
    await assert.rejects(restoreMachine(file), /is of a machine with a disk: name its image by --disk/);
    const larger = join(folder, 'larger');
    writeFileSync(larger, Buffer.alloc(9 * 512));
    await assert.rejects(restoreMachine(file, { path: larger, persist: false }), /sectors of the disk: 8, not 9/);
    const session = Session.over(await restoreMachine(file, disk));
    try {
      session.machine.insertBreakpoint('software', DONE, 1);
      session.machine.memory.write(READ, new Uint8Array(1536));
      await ask(session, [0, 3, 3]);
      assert.deepEqual(sectorsRead(session), [1, 0x77, 0x77]);
    } finally {
      await session.machine.close();
    }
    assert.deepEqual(readFileSync(path), image);
  });

  test('is refused where the disk is the file itself, which can be started anew', () => {
    const own = join(folder, 'own');
    writeFileSync(own, image);
    return withSession(
      requests(),
      async (session) => {
        const { snapshots } = session.machine;
        await assert.rejects(snapshots.take('none'), /cannot hold the disk.*leave out persist/);
        await session.goToEnd();
        await goBack(session, snapshots.restart());
        await session.goToEnd();
      },
      { disk: { path: own, persist: true } },
    );
  });
});

describe('the processor', { timeout: patience(120_000) }, () => {
  /** mov eax, 1; cpuid; mov [DATA], ecx; xor eax, eax; out 0xf4, al */
  const code = [0xb8, ...imm32(1), 0x0f, 0xa2, 0x89, 0x0c, 0x25, ...imm32(DATA), 0x31, 0xc0, 0xe6, 0xf4];
  const featuresOf = async (session: Session) => {
    await session.goToEnd();
    return Buffer.from(session.machine.memory.read(DATA, 4)).readUInt32LE();
  };
  const sse3Of = async (session: Session) => (await featuresOf(session)) & 1;
  const hypervisorOf = async (session: Session) => (await featuresOf(session)) >>> 31;

  test('has no feature that is hidden', async () => {
    await withSession({ code }, async (session) => assert.equal(await sse3Of(session), 1));
    const seen = lacks('hidden-features') ? 1 : 0;
    await withSession({ code }, async (session) => assert.equal(await sse3Of(session), seen), {
      cpu: { hide: ['pni'], expose: [] },
    });
  });

  test('says that it is virtual, of whatever hypervisor, unless that is hidden', async () => {
    for (const personality of ['none', 'kvm', 'xen', 'hyperv'] as const) {
      const options = { personality };
      await withSession(
        { code },
        async (session) => assert.equal(await hypervisorOf(session), 1, personality),
        options,
      );
    }
    await withSession({ code }, async (session) => assert.equal(await hypervisorOf(session), 0), {
      cpu: { hide: ['hypervisor'], expose: [] },
    });
  });

  test('cannot be given one that KVM lacks', () =>
    assert.rejects(
      Session.start({ code }, { cpu: { hide: [], expose: ['ia64'] } }),
      (error) => error instanceof MachineError && error.option === 'cpu' && /no ia64 to expose/.test(error.message),
    ));
});
