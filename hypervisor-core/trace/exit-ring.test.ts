import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import fc from 'fast-check';
import { EXIT_COUNTERS_BYTES, ExitCounters } from './exit-counters.ts';
import { EXIT_REASONS } from './exit-reasons.ts';
import { type ExitEvent, ExitRing, exitRingBytes, type RawExit } from './exit-ring.ts';

const CAPACITY = 512;

/** An exit whose every field follows from one number, so that a torn record shows. */
const raw = (n: number): RawExit => ({
  ...{ time: n, duration: n / 2, reason: n % EXIT_REASONS.length },
  ...{ ripLow: n, ripHigh: n, addressLow: n, addressHigh: n, valueLow: n, valueHigh: n },
  ...{ size: n % 9, count: n },
});

function event(n: number): ExitEvent {
  const wide = (BigInt(n) << 32n) | BigInt(n);
  return {
    ...{ sequence: n, time: n, duration: n / 2, reason: EXIT_REASONS[n % EXIT_REASONS.length] ?? 'other' },
    ...{ rip: wide, address: wide, value: wide, size: n % 9, count: n },
  };
}

if (!isMainThread) {
  const { memory, count } = workerData as { memory: SharedArrayBuffer; count: number };
  const ring = new ExitRing(memory, 0, CAPACITY);
  for (let n = 0; n < count; n++) ring.add(raw(n));
} else {
  const make = () => {
    const memory = new SharedArrayBuffer(exitRingBytes(CAPACITY));
    return { memory, ring: new ExitRing(memory, 0, CAPACITY) };
  };

  describe('exit ring', () => {
    test('gives back what was put in, and counts what was overwritten', () => {
      const { ring } = make();
      for (let n = 0; n < CAPACITY + 100; n++) ring.add(raw(n));
      const reading = ring.read(0, 3);
      assert.deepEqual([reading.dropped, reading.total], [100, CAPACITY + 100]);
      assert.deepEqual(reading.events, [event(100), event(101), event(102)]);
      assert.deepEqual(ring.read(CAPACITY + 100, 3), { events: [], dropped: 0, total: CAPACITY + 100 });
    });

    test('loses nothing silently and tears nothing while another thread writes', async () => {
      const { memory, ring } = make();
      const count = 200_000;
      const worker = new Worker(__filename, { workerData: { memory, count } });
      const gone = once(worker, 'exit');
      let next = 0;
      let seen = 0;
      let lost = 0;
      while (next < count) {
        const { events, dropped } = ring.read(next, 100);
        lost += dropped;
        next += dropped;
        for (const read of events) assert.deepEqual(read, event(next++));
        seen += events.length;
        if (events.length === 0) await new Promise(setImmediate);
      }
      assert.equal(seen + lost, count);
      assert.ok(seen > 0);
      await gone;
    });

    test('whatever is in the memory, reading ends, throws nothing and gives no more than asked for', () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ minLength: 600, maxLength: 600 }),
          fc.nat(2000),
          fc.nat(50),
          fc.option(fc.nat(1000)),
          (bytes, from, limit, total) => {
            const { memory, ring } = make();
            new Uint8Array(memory).set(bytes);
            const next = new BigInt64Array(memory, 0, 1);
            next[0] = total === null ? (next[0] ?? 0n) & 0xffffn : BigInt(total);
            assert.ok(ring.read(from, limit).events.length <= limit);
          },
        ),
        { seed: 7, numRuns: 500 },
      );
    });
  });

  describe('exit counters', () => {
    test('count as a map does', () => {
      const exit = fc.record({
        kind: fc.constantFrom('reason', 'place', 'rip'),
        reason: fc.nat(EXIT_REASONS.length - 1),
        low: fc.constantFrom(0, 1, 0x3f8, 0xffff_ffff),
        high: fc.constantFrom(0, 0xffff_ffff),
      });
      fc.assert(
        fc.property(fc.array(exit, { maxLength: 200 }), (exits) => {
          const counters = new ExitCounters(new SharedArrayBuffer(EXIT_COUNTERS_BYTES), 0);
          const wanted = new Map<string, number>();
          for (const { kind, reason, low, high } of exits) {
            counters.add(kind as 'reason', reason, low, high, 2);
            const key = `${kind} ${EXIT_REASONS[reason]} ${(BigInt(high) << 32n) | BigInt(low)}`;
            wanted.set(key, (wanted.get(key) ?? 0) + 1);
          }
          const read = counters.read();
          assert.deepEqual(new Map(read.map((one) => [`${one.kind} ${one.reason} ${one.key}`, one.count])), wanted);
          assert.ok(read.every(({ count, time }) => time === 2 * count));
        }),
        { seed: 8, numRuns: 200 },
      );
    });

    test('what finds no room is counted together: nothing is lost', () => {
      const counters = new ExitCounters(new SharedArrayBuffer(EXIT_COUNTERS_BYTES), 0);
      for (let key = 0; key < 20_000; key++) counters.add('rip', 0, Math.imul(key, 0x0101_0101) >>> 0, key, 1);
      const read = counters.read();
      assert.equal(
        read.reduce((sum, { count }) => sum + count, 0),
        20_000,
      );
      const rest = read.filter(({ reason }) => reason === undefined);
      assert.deepEqual(
        rest.map(({ kind }) => kind),
        ['rip'],
      );
    });
  });
}
