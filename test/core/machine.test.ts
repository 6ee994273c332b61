import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BootError } from '../../hypervisor-core/boot/boot-image.ts';
import { createMachine } from '../../hypervisor-core/machine/machine.ts';
import { patience } from '../patience.ts';
import { lacks } from './run-control-kit.ts';
import { CODE, DATA, imm32, Session, tinyImage, withSession } from './tiny-guest.ts';

const GIB = 1 << 30;
const continueAll = { kind: 'continue' } as const;

/** inc dword [rdi]; jmp back */
const counter = { code: [0xff, 0x07, 0xeb, 0xfc] };

const descriptors = () =>
  readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    })
    .filter((target) => /kvm|memfd/.test(target));
const threads = () => readdirSync('/proc/self/task').length;

describe('a machine leaves nothing behind', () => {
  test('after many launches and closes, running, stopped and ended', { timeout: patience(240_000) }, async () => {
    const round = async (turn: number) => {
      const session = await Session.start(counter, { cpus: 1 + (turn % 2) });
      if (turn % 3 !== 0) session.machine.resume([{ vcpu: 0, action: continueAll }]);
      if (turn % 3 === 2) session.machine.kill();
      await session.machine.close();
    };
    const started = performance.now();
    await round(1);
    // An emulated host takes seconds for each.
    const rounds = performance.now() - started < 1000 ? 50 : 10;
    const before = { descriptors: descriptors(), threads: threads() };
    for (let turn = 0; turn < rounds; turn++) await round(turn);
    assert.deepEqual({ descriptors: descriptors(), threads: threads() }, before);
    assert.deepEqual(before.descriptors, []);
  });

  test('when the kernel does not fit', async () => {
    const image = { ...tinyImage(counter), cpu: { ...tinyImage(counter).cpu, cr4: 0xffff_ffffn } };
    await assert.rejects(createMachine({ boot: { name: 'bad', image }, memory: 4 << 20, cpus: 1 }), /KVM_SET_SREGS/);
    assert.deepEqual(descriptors(), []);
  });

  test('and close may be called twice', async () => {
    const session = await Session.start(counter);
    await Promise.all([session.machine.close(), session.machine.close()]);
  });
});

test('no kick is lost', { timeout: patience(120_000) }, () =>
  withSession(counter, async (session) => {
    const { RINGSIDE_KICKS = '500' } = process.env;
    const kicks = Number(RINGSIDE_KICKS);
    for (let kick = 0; kick < kicks; kick++) {
      const stopped = session.go();
      // Some come before the guest is entered, some while it runs.
      for (let turn = kick % 4; turn > 0; turn--) await nextTurn();
      session.machine.interrupt();
      assert.equal((await stopped).kind, 'pause');
    }
  }),
);

test('a guest has RAM above 4 GiB', () => {
  // mov rax, 0x40000000 (mapped to 4 GiB); mov dword [rax + 8], 0x11223344; out 0xf4, al
  const code = [0x48, 0xb8, ...imm32(0x4000_0000), 0, 0, 0, 0, 0xc7, 0x40, 8, ...imm32(0x1122_3344), 0xe6, 0xf4];
  const at1GiB = 0x1_0000_0000n | 0x83n;
  return withSession(
    { code, at1GiB },
    async (session) => {
      assert.equal((await session.goToEnd()).cause, 'debug-exit');
      const { memory } = session.machine;
      assert.deepEqual([...memory.read(0x1_0000_0008n, 4)], imm32(0x1122_3344));
      assert.equal(memory.read(0xffff_0000n, 16).length, 0);
      assert.equal(memory.read(0x1_8000_0000n - 4n, 16).length, 0);
      assert.equal(memory.write(0xbfff_fffen, Uint8Array.of(1, 2, 3, 4)), 2);
      const regions = session.machine.memoryMap().regions.filter(({ kind }) => kind === 'ram');
      assert.deepEqual(
        regions.map(({ start, end }) => [start, end]),
        [
          ['0x0', '0xc0000000'],
          ['0x100000000', '0x140000000'],
        ],
      );
    },
    { memory: 4 * GIB },
  );
});

test('memory is read and written across pages of both sizes, up to the first hole', () =>
  withSession(
    counter,
    async ({ machine }) => {
      const [PAGE, MIB, DIRECTORY, TABLE, HOLE] = [0x1000, 1 << 20, 0x3000n, 0x30_0000n, 511];
      const entries = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
      // From 2 MiB small pages, each second one exchanged with the one behind it, from 4 MiB a large one, then none.
      const small = Array.from({ length: 512 }, (_, at) => (at === HOLE ? 0n : BigInt(4 * MIB + (at ^ 1) * PAGE) | 3n));
      machine.memory.write(DIRECTORY + 8n, entries(TABLE | 3n, BigInt(6 * MIB) | 0x83n, 0n));
      machine.memory.write(TABLE, entries(...small));
      for (let at = 4 * MIB; at < 8 * MIB; at += PAGE) {
        machine.memory.write(BigInt(at), new Uint8Array(PAGE).fill(at / PAGE));
      }
      const pages = (gva: number, length: number) => {
        const bytes = machine.readVirtual(0, BigInt(gva), length);
        return Array.from({ length: Math.ceil(bytes.length / PAGE) }, (_, at) => bytes[at * PAGE + 1]);
      };
      const number = (gpa: number) => (gpa / PAGE) & 0xff;
      const [first, second, large] = [number(4 * MIB), number(4 * MIB + PAGE), number(6 * MIB)];
      assert.deepEqual(pages(2 * MIB, 2 * PAGE), [second, first]);
      assert.deepEqual(pages(2 * MIB - PAGE, 3 * PAGE).slice(1), [second, first]);
      assert.equal(pages(4 * MIB - 5 * PAGE, 16 * PAGE).length, 4, 'up to the hole');
      assert.deepEqual(pages(4 * MIB, 3 * PAGE), [large, large + 1, large + 2]);
      assert.equal(pages(6 * MIB - 3 * PAGE, 16 * PAGE).length, 3, 'up to the end of the large page');
      assert.equal(machine.writeVirtual(0, BigInt(2 * MIB - 2 * PAGE), new Uint8Array(4 * PAGE).fill(1)), 4 * PAGE);
      assert.deepEqual(pages(2 * MIB - 2 * PAGE, 5 * PAGE), [1, 1, 1, 1, number(4 * MIB + 3 * PAGE)]);
      assert.equal(machine.memory.read(BigInt(4 * MIB + PAGE), 1)[0], 1);
    },
    { memory: 8 << 20 },
  ));

describe('two vCPUs', () => {
  /**
   * Vector 0 starts the second one by INIT and SIPI through the local APIC at 0xfee00300, waits for its mark, and both
   * count for ever. The second starts in real mode at 0x70000.
   */
  const LAPIC_ICR = 0xfee0_0300;
  const MARK = 0x6000;
  const starter = [
    // mov eax, 0xfee00300 (zero-extended); mov dword [rax], value
    ...[0xb8, ...imm32(LAPIC_ICR), 0xc7, 0x00, ...imm32(0xc_4500), 0xc7, 0x00, ...imm32(0xc_4670)],
    // wait: cmp dword [MARK], 0; je wait
    ...[0x83, 0x3c, 0x25, ...imm32(MARK), 0, 0x74, 0xf6],
    // count: inc dword [rdi]; jmp count
    ...[0xff, 0x07, 0xeb, 0xfc],
  ];
  // xor ax, ax; mov ds, ax; count: inc dword [MARK]; jmp count
  const secondary = [0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, MARK & 0xff, MARK >> 8, 0xeb, 0xf9];
  const guest = { code: starter, more: [{ gpa: 0x70000n, bytes: Uint8Array.from(secondary), name: 'secondary' }] };

  test('start, run side by side and stop together', { timeout: patience(60_000) }, () =>
    withSession(
      guest,
      async (session) => {
        const { memory } = session.machine;
        const count = (at: bigint) => Buffer.from(memory.read(at, 4)).readUInt32LE();
        const stopped = session.go();
        while (count(BigInt(MARK)) < 5 || count(DATA) < 5) await nextTurn();
        session.machine.interrupt();
        assert.equal((await stopped).kind, 'pause');
        const before = [count(BigInt(MARK)), count(DATA)];
        await nextTurn();
        assert.deepEqual([count(BigInt(MARK)), count(DATA)], before);
        assert.equal(session.register('rip', 1) < 0x10000n, true);
        // One alone: the other stands.
        const second = [count(BigInt(MARK))];
        assert.equal((await session.go({ kind: 'step' })).kind, 'step');
        assert.deepEqual([count(BigInt(MARK))], second);
      },
      { cpus: 2 },
    ),
  );

  test('a breakpoint of one stops both, in real mode too', { timeout: patience(60_000) }, () =>
    withSession(
      guest,
      async (session) => {
        // Linear address of the secondary's loop.
        session.machine.insertBreakpoint('software', 0x70004n, 1);
        for (let turn = 0; turn < 3; turn++) {
          assert.deepEqual(await session.go(), { kind: 'breakpoint', address: 0x70004n, hardware: false });
          assert.equal(session.register('rip', 1), 4n);
        }
      },
      { cpus: 2 },
    ),
  );
});

test('bad options and files are refused with a reason', async () => {
  const boot = { name: 'x', image: tinyImage(counter) };
  await assert.rejects(createMachine({ boot, memory: 4096, cpus: 1 }), /at least 1 MiB/);
  await assert.rejects(createMachine({ boot, memory: 4 << 20, cpus: 0 }), /number of vCPUs/);
  const file = { name: 'x', file: Uint8Array.of(1, 2, 3), commandLine: '' };
  await assert.rejects(createMachine({ boot: file, memory: 4 << 20, cpus: 1 }), BootError);
});

test('what the guest prints arrives, whole and in order', () => {
  // mov ecx, 1000; loop: mov al, cl; out 0xe9, al; dec ecx; jnz loop; out 0xf4, al
  const code = [0xb9, ...imm32(1000), 0x88, 0xc8, 0xe6, 0xe9, 0xff, 0xc9, 0x75, 0xf8, 0xe6, 0xf4];
  return withSession({ code }, async (session) => {
    const parts: number[] = [];
    session.machine.console.onOutput((data) => parts.push(...data));
    await session.goToEnd();
    await nextTurn();
    const expected = Array.from({ length: 1000 }, (_, n) => (1000 - n) & 0xff);
    assert.deepEqual([...session.machine.console.history()], expected);
    assert.deepEqual(parts, expected);
  });
});

test('the upper halves of YMM registers are the guest’s, where its processor has them', async () => {
  // vmovdqu ymm3, [rdi]; nop
  const code = [0xc5, 0xfe, 0x6f, 0x1f, 0x90];
  // User code, because no interpreter of supervisor code knows AVX.
  const image = tinyImage({ code, user: true, vectors: [1, 3, 13] });
  // It is hidden from guests whose supervisor code is interpreted, where that has an effect.
  const hidden = !lacks('emulated-supervisor') && !lacks('hidden-features');
  const avx = / avx /.test(readFileSync('/proc/cpuinfo', 'utf8')) && !hidden;
  const OSXSAVE_AND_SSE = 0x40600n;
  const cpu = { ...image.cpu, cr0: image.cpu.cr0 | 2n, cr4: image.cpu.cr4 | (avx ? OSXSAVE_AND_SSE : 0n) };
  const session = await Session.startImage({ ...image, cpu });
  try {
    const { registers } = session.vcpu;
    const ones = new Uint8Array(16).fill(0xaa);
    assert.deepEqual(
      [...registers.read('ymm3h')],
      Array.from({ length: 16 }, () => 0),
    );
    if (!avx) return assert.throws(() => registers.write('ymm3h', ones));
    registers.write('xcr0', Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0));
    session.machine.memory.write(
      DATA,
      Uint8Array.from({ length: 32 }, (_, at) => at + 1),
    );
    session.machine.insertBreakpoint('software', CODE + 4n, 1);
    assert.equal((await session.go()).kind, 'breakpoint');
    const counted = (first: number) => Array.from({ length: 16 }, (_, at) => first + at);
    assert.deepEqual([...registers.read('xmm3')], counted(1));
    assert.deepEqual([...registers.read('ymm3h')], counted(17));
    registers.write('ymm3h', ones);
    assert.deepEqual([...registers.read('ymm3h')], [...ones]);
    assert.deepEqual([...registers.read('xmm3')], counted(1));
  } finally {
    await session.machine.close();
  }
});
