import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import { HypercallRing, hypercallRingBytes } from './hypercall-ring.ts';

const CAPACITY = 1024;

/** An event whose every field follows from two numbers, so that a torn record shows. */
function event(vcpu: number, count: number): HypercallEvent {
  const word = BigInt(vcpu * 1_000_000 + count);
  return {
    time: count,
    vcpu,
    cpl: vcpu % 4,
    rip: word,
    ...(count % 2 === 0 && { caller: word }),
    abi: count % 3 === 0 ? 'xen' : 'kvm',
    number: word,
    arguments: Array.from({ length: count % 7 }, () => word),
    ...(count % 4 !== 3 && { result: word }),
    ...(count % 8 !== 7 && { duration: count }),
    ...(count % 5 === 0 && { text: `call ${word}` }),
  };
}

if (!isMainThread) {
  const { memory, vcpu, count, capacity } = workerData as Record<'vcpu' | 'count' | 'capacity', number> & {
    memory: SharedArrayBuffer;
  };
  const ring = new HypercallRing(memory, 0, capacity);
  for (let call = 0; call < count; call++) ring.add(event(vcpu, call));
  parentPort?.postMessage('done');
} else {
  const make = (capacity = CAPACITY) => {
    const memory = new SharedArrayBuffer(hypercallRingBytes(capacity));
    return { memory, ring: new HypercallRing(memory, 0, capacity) };
  };

  describe('hypercall ring', () => {
    test('gives back what was put in, in order', () => {
      const { ring } = make();
      for (let count = 0; count < 20; count++) ring.add(event(1, count));
      const { events, dropped, total } = ring.read(5, 10);
      assert.deepEqual([dropped, total], [0, 20]);
      assert.deepEqual(
        events,
        Array.from({ length: 10 }, (_, index) => ({ sequence: 5 + index, event: event(1, 5 + index) })),
      );
      assert.deepEqual(ring.read(20, 10).events, []);
    });

    test('counts what was overwritten', () => {
      const { ring } = make();
      for (let count = 0; count < CAPACITY + 100; count++) ring.add(event(0, count));
      const { events, dropped } = ring.read(0, 3);
      assert.equal(dropped, 100);
      assert.equal(events[0]?.sequence, 100);
      assert.equal(ring.read(1000, 3).dropped, 0);
    });

    test('cuts long text between characters', () => {
      const { ring } = make();
      ring.add({ ...event(0, 0), text: `${'x'.repeat(63)}…and more` });
      assert.equal(ring.read(0, 1).events[0]?.event.text, 'x'.repeat(63));
    });

    test('a writer that comes by the record of one who is not done waits for that one', async () => {
      const capacity = 4;
      const { memory, ring } = make(capacity);
      const [total, records] = [new BigInt64Array(memory, 0, 1), new BigInt64Array(memory, 8)];
      // Somebody has taken number 0 and was put to sleep while writing.
      Atomics.store(total, 0, 1n);
      Atomics.store(records, 0, -1n);
      const worker = new Worker(__filename, { workerData: { memory, vcpu: 1, count: capacity, capacity } });
      while (ring.total <= capacity) await delay(1);
      await delay(20);
      assert.deepEqual(
        ring.read(1, 10).events.map(({ sequence }) => sequence),
        [1, 2, 3],
      );
      Atomics.store(records, 0, 1n);
      await once(worker, 'exit');
      assert.deepEqual(ring.read(4, 10).events, [{ sequence: 4, event: event(1, 3) }]);
    });

    test('loses nothing silently and tears nothing while four threads write', async () => {
      const { memory, ring } = make();
      const count = 20_000;
      const workers = [0, 1, 2, 3].map(
        (vcpu) => new Worker(__filename, { workerData: { memory, vcpu, count, capacity: CAPACITY } }),
      );
      let running = workers.length;
      for (const worker of workers) worker.once('message', () => running--);
      let next = 0;
      let seen = 0;
      let lost = 0;
      while (running > 0 || next < ring.total) {
        const { events, dropped } = ring.read(next, 500);
        lost += dropped;
        next += dropped;
        for (const { sequence, event: read } of events) {
          assert.equal(sequence, next++);
          assert.deepEqual(read, event(read.vcpu, read.time));
          seen++;
        }
        await new Promise(setImmediate);
      }
      assert.equal(seen + lost, 4 * count);
      assert.ok(seen > 0);
      await Promise.all(workers.map((worker) => (worker.threadId > 0 ? once(worker, 'exit') : undefined)));
    });
  });
}
