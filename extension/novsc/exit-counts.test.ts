import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStopOn } from '../../hypervisor-core/protocol/stop-on.ts';
import { exits, exitTrace } from '../../test/e2e/fake/snapshot.ts';
import { ExitCounts } from './exit-counts.ts';
import { exitColumns, exitFacts, exitRepeats, stopLine } from './exit-rows.ts';

describe('exits, counted', () => {
  test('rates and shares are of the time that the guest ran', () => {
    const counts = new ExitCounts();
    counts.add(exits(1000));
    assert.equal(counts.rate, 1001 + 501 + 251 + 126, 'since the start');
    counts.add(exits(4000));
    counts.add(exits(8000));
    // A guest that stands still is looked at, too, and changes nothing.
    counts.add(exits(8000));
    const [first] = counts.of('reason');
    assert.deepEqual([first?.reason, first?.count, first?.rate], ['port-out', 8001, 1000]);
    assert.equal(first?.share, (8001 * 10) / 16_000_000);
    assert.equal(counts.total, 8001 + 4001 + 2001 + 1001);
    assert.equal(counts.of('place').length, 4);
  });

  test('the timeline tells groups apart and forgets the oldest', () => {
    const counts = new ExitCounts();
    for (let look = 0; look <= 130; look++) counts.add(exits(look * 1000));
    assert.equal(counts.timeline.length, 120);
    assert.deepEqual(counts.timeline.at(-1), {
      at: 130,
      rates: { port: 1500, memory: 250, MSR: 125, hypercall: 0, signal: 0, other: 0 },
    });
  });

  test('columns say device, register and code', () => {
    const counts = new ExitCounts();
    counts.add(exits(100));
    const texts = (kind: 'place' | 'rip') => exitColumns[kind].map(({ text }) => text(counts.of(kind)[0]!)).slice(0, 3);
    assert.deepEqual(texts('place'), ['port write', '0x3f8', 'COM1 THR']);
    assert.deepEqual(texts('rip').slice(0, 2), ['serial_put+0x20', 'port write']);
  });
});

describe('exits, traced', () => {
  test('repeats differ in time alone; details name device and value', () => {
    const [write, read, , , again] = exitTrace(0, 5).records;
    assert.ok(write && read && again);
    assert.ok(exitRepeats(write, { ...write, sequence: 1, time: 5, duration: 1 }));
    assert.ok(!exitRepeats(write, read));
    assert.ok(!exitRepeats(write, again), 'another value');
    const facts = exitFacts({ item: write, last: write, count: 1, at: 0, lastAt: 0 }).join('\n');
    assert.match(facts, /0x3f8 COM1 THR/);
    assert.match(facts, /0x40, 1 byte/);
  });

  test('what to stop on is a line that the core reads', () => {
    const lines = [...exits(1).counts, { reason: 'hypercall' as const }, { reason: 'kick' as const }].map(stopLine);
    const asked = lines.filter((line) => line !== undefined);
    for (const line of asked) assert.ok(parseStopOn(line), line);
    assert.deepEqual(asked.slice(0, 2), ['exit io', 'port 0x3f8 write']);
    assert.deepEqual(lines.slice(-2), ['hypercall', undefined]);
  });
});
