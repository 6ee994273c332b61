import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loop } from './run-control-kit.ts';
import { CODE, withSession } from './tiny-guest.ts';

describe('user code', () => {
  const user = { ...loop, user: true, vectors: [1, 3, 13], handler: [0xf4] };

  test('stops at breakpoints and goes on from them', () =>
    withSession(user, async (session) => {
      session.machine.insertBreakpoint('software', CODE + 3n, 1);
      for (const turn of [1n, 2n, 3n]) {
        assert.deepEqual(await session.go(), { kind: 'breakpoint', address: CODE + 3n, hardware: false });
        assert.equal(session.register('rip'), CODE + 3n);
        assert.equal(session.register('cs'), 0x23n);
        assert.equal(session.register('rax'), turn);
        assert.equal(session.register('eflags') & 0x100n, 0n);
      }
    }));

  test('is stepped through, off breakpoints and by range', () =>
    withSession(user, async (session) => {
      session.machine.insertBreakpoint('software', CODE, 1);
      const seen: bigint[] = [];
      for (let step = 0; step < 5; step++) {
        assert.deepEqual(await session.go({ kind: 'step' }), { kind: 'step' });
        seen.push(session.register('rip') - CODE);
      }
      assert.deepEqual(seen, [1n, 3n, 5n, 0n, 1n]);
      const range = { kind: 'range-step', start: CODE + 1n, end: CODE + 5n } as const;
      assert.deepEqual(await session.go(range), { kind: 'step' });
      assert.equal(session.register('rip'), CODE + 5n);
      assert.equal(session.register('cs'), 0x23n);
    }));
});
