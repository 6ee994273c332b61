/**
 * Instructions that some KVMs' emulators lack: where supervisor code is interpreted they are carried out by Ringside, else
 * by the processor, and the guest must not be able to tell.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INC_EAX, NOP } from './run-control-kit.ts';
import { CODE, DATA, type Session, withSession } from './tiny-guest.ts';

const ARITHMETIC = 0x8d5n;
const ZERO = 0x40n;

/** Runs `code` with these registers and memory at DATA (RDI), and hands the session over at its end. */
async function after(
  code: readonly number[],
  given: Readonly<Record<string, bigint>>,
  check: (session: Session) => void,
  memory: readonly bigint[] = [],
): Promise<void> {
  await withSession({ code: [...code, NOP] }, async (session) => {
    for (const [name, value] of Object.entries(given)) session.setRegister(name, value);
    session.machine.memory.write(DATA, new Uint8Array(BigUint64Array.from(memory).buffer));
    session.machine.insertBreakpoint('software', CODE + BigInt(code.length), 1);
    const reason = await session.go();
    assert.equal(
      reason.kind,
      'breakpoint',
      JSON.stringify(reason, (_, value) => String(value)),
    );
    check(session);
  });
}

const words = (session: Session, count: number): bigint[] => {
  const bytes = session.machine.memory.read(DATA, 8 * count);
  return [...new BigUint64Array(bytes.slice().buffer)];
};

describe('rare instructions', () => {
  test('popcnt of a register and of memory, with its flags', async () => {
    // popcnt rax, rbx
    const wide = [0xf3, 0x48, 0x0f, 0xb8, 0xc3];
    await after(wide, { rbx: 0xf000_0000_0000_0101n, eflags: 2n | ARITHMETIC }, (session) => {
      assert.equal(session.register('rax'), 6n);
      assert.equal(session.register('eflags') & ARITHMETIC, 0n);
    });
    // popcnt ax, word [rdi + 2 * rcx + 4]: the rest of RAX stays
    const narrow = [0x66, 0xf3, 0x0f, 0xb8, 0x44, 0x4f, 0x04];
    const high = 0x1234_5678_9abc_0000n;
    await after(
      narrow,
      { rax: high | 0xffffn, rcx: 1n },
      (session) => assert.equal(session.register('rax'), high | 3n),
      [0x8003_0000_0000_0000n],
    );
    // popcnt eax, ebx: the upper half of RAX is cleared
    await after([0xf3, 0x0f, 0xb8, 0xc3], { rax: -1n & 0xffff_ffff_ffff_ffffn, rbx: 1n << 40n }, (session) => {
      assert.equal(session.register('rax'), 0n);
      assert.equal(session.register('eflags') & ARITHMETIC, ZERO);
    });
  });

  // lock cmpxchg16b [rdi]
  const exchange = [0xf0, 0x48, 0x0f, 0xc7, 0x0f];

  test('cmpxchg16b that finds what it expects', () =>
    after(
      exchange,
      { rax: 0x11n, rdx: 0x22n, rbx: 0x33n, rcx: 0x44n },
      (session) => {
        assert.deepEqual(words(session, 3), [0x33n, 0x44n, 0x55n]);
        assert.equal(session.register('eflags') & ZERO, ZERO);
      },
      [0x11n, 0x22n, 0x55n],
    ));

  test('cmpxchg16b that does not', () =>
    after(
      exchange,
      { rax: 0x11n, rdx: 0x23n, rbx: 0x33n, rcx: 0x44n, eflags: 2n | ZERO },
      (session) => {
        assert.deepEqual(words(session, 2), [0x11n, 0x22n]);
        assert.deepEqual([session.register('rax'), session.register('rdx')], [0x11n, 0x22n]);
        assert.equal(session.register('eflags') & ZERO, 0n);
      },
      [0x11n, 0x22n],
    ));

  test('fnstsw, fnclex and fwait', () =>
    // fninit; fnstsw ax; fnclex; fwait; fnstsw [rdi + 2]; stmxcsr [rdi + 4]
    after(
      [0xdb, 0xe3, 0xdf, 0xe0, 0xdb, 0xe2, 0x9b, 0xdd, 0x7f, 0x02, 0x0f, 0xae, 0x5f, 0x04],
      { rax: 0xffff_ffffn, cr4: 0x220n },
      (session) => {
        assert.equal(session.register('rax'), 0xffff_0000n);
        assert.deepEqual(words(session, 1), [0x1f80_0000_ffffn]);
      },
      [0xffff_ffff_ffff_ffffn],
    ));

  test('ldmxcsr', () =>
    after(
      [0x0f, 0xae, 0x17, 0x0f, 0xae, 0x5f, 0x04],
      { cr4: 0x220n },
      (session) => assert.equal(words(session, 1)[0]! >> 32n, 0x9fc0n),
      [0x9fc0n],
    ));

  test('stac and clac', async () => {
    const ACCESS = 1n << 18n;
    await after([0x0f, 0x01, 0xcb], {}, (session) => assert.equal(session.register('eflags') & ACCESS, ACCESS));
    await after([0x0f, 0x01, 0xca], { eflags: 2n | ACCESS }, (session) =>
      assert.equal(session.register('eflags') & ACCESS, 0n),
    );
  });

  test('rdtscp goes on from rdtsc', () =>
    // rdtsc; mov ebx, eax; mov esi, edx; rdtscp
    after([0x0f, 0x31, 0x89, 0xc3, 0x89, 0xd6, 0x0f, 0x01, 0xf9], { rcx: 7n }, (session) => {
      const [before, now] = [
        ['rbx', 'rsi'],
        ['rax', 'rdx'],
      ].map(([low = '', high = '']) => session.register(low) | (session.register(high) << 32n));
      assert.ok(now! > before! && now! - before! < 1n << 36n, `${before} ${now}`);
      assert.equal(session.register('rcx'), 0n);
    }));

  test('rdsspq does nothing where there is no shadow stack', () =>
    // rdsspq rax; inc eax
    after([0xf3, 0x48, 0x0f, 0x1e, 0xc8, ...INC_EAX], { rax: 7n }, (session) =>
      assert.equal(session.register('rax'), 8n),
    ));

  test('a step over one is one step', () =>
    withSession({ code: [...exchange, ...INC_EAX, NOP] }, async (session) => {
      session.setRegister('rax', 1n);
      assert.equal((await session.go({ kind: 'step' })).kind, 'step');
      assert.equal(session.register('rip'), CODE + BigInt(exchange.length));
      assert.equal(session.register('rax'), 0n);
    }));

  test('a write by one is seen by a watchpoint', () =>
    withSession({ code: [...exchange, ...INC_EAX, NOP] }, async (session) => {
      session.setRegister('rbx', 5n);
      session.machine.insertBreakpoint('write', DATA, 32);
      const reason = await session.go();
      assert.equal(reason.kind === 'watchpoint' && reason.address, DATA);
      assert.equal(session.register('rip'), CODE + BigInt(exchange.length));
    }));
});
