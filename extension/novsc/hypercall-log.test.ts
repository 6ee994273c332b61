import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseStopOn } from '../../hypervisor-core/protocol/stop-on.ts';
import { hypercalls } from '../../test/e2e/fake/snapshot.ts';
import { HypercallLog } from './hypercall-log.ts';
import { callColumns, callFacts, callRepeats, callStopLine } from './hypercall-rows.ts';

const counts = ({ total, lost }: HypercallLog) => ({ total, lost });

describe('HypercallLog', () => {
  test('takes overlapping batches once', () => {
    const log = new HypercallLog();
    assert.equal(log.add(hypercalls(0, 10)).length, 10);
    assert.deepEqual(
      log.add(hypercalls(5, 12)).map((record) => record.sequence),
      [10, 11],
    );
    assert.equal(log.add(hypercalls(0, 12)).length, 0);
    assert.deepEqual(counts(log), { total: 12, lost: 0 });
  });

  test('counts what was lost between two batches, and inside one', () => {
    const log = new HypercallLog();
    log.add(hypercalls(0, 3));
    const { records, ...batch } = hypercalls(7, 12);
    log.add({ ...batch, records: records.filter(({ sequence }) => sequence !== 9) });
    assert.deepEqual(counts(log), { total: 12, lost: 5 });
  });

  test('knows of calls that were made but not fetched yet', () => {
    const log = new HypercallLog();
    log.add(hypercalls(0, 3, 50));
    assert.deepEqual([log.next, log.total, log.lost], [3, 50, 0]);
  });

  test('counts calls by their number', () => {
    const log = new HypercallLog();
    log.add(hypercalls(0, 9));
    assert.deepEqual(
      log.counts.map(({ name, calls, time }) => [name, calls, time]),
      [
        ['console_io', 3, 37.5],
        ['sched_op', 2, 25],
        ['event_channel_op', 2, 25],
        ['vcpu_op', 2, 25],
      ],
    );
  });

  test('rows and details say where a call came from by its caller', () => {
    const [call] = new HypercallLog().add(hypercalls(0, 1));
    assert.ok(call);
    const run = { item: call, last: call, count: 2, at: 0, lastAt: 0 };
    const texts = Object.fromEntries(callColumns.map(({ key, text }) => [key, text(run)]));
    assert.deepEqual(
      [texts['call'], texts['args'], texts['where'], texts['times'], texts['took']],
      ['console_io', 'cmd=write, count=0x0', 'say_hello+0x34', '2', '12.5 µs'],
    );
    assert.match(callFacts(run).join('\n'), /from,say_hello\+0x34 \(0xffffffff80001234\)/);
  });

  test('a call that did not return has neither result nor duration', () => {
    const [first] = hypercalls(0, 1).records;
    assert.ok(first);
    const { result: _, duration: __, ...call } = first;
    const log = new HypercallLog();
    const [item] = log.add({ ...hypercalls(0, 1), records: [call] });
    assert.ok(item && log.counts[0]?.time === 0);
    const run = { item, last: item, count: 1, at: 0, lastAt: 0 };
    const texts = Object.fromEntries(callColumns.map(({ key, text }) => [key, text(run)]));
    assert.deepEqual([texts['result'], texts['took']], ['', '']);
    const facts = new Map(callFacts(run));
    assert.equal(facts.get('result'), 'none');
    assert.match(facts.get('time') ?? '', /took unknown$/);
  });

  test('what to stop on is a line that the core reads', () => {
    const lines = hypercalls(0, 1).records.map(callStopLine);
    assert.deepEqual(lines, ['hypercall xen 0x12']);
    assert.deepEqual(parseStopOn(lines[0] ?? ''), { kind: 'hypercall', abi: 'xen', number: '0x12' });
  });

  test('repeats are calls that differ in time and duration alone', () => {
    const [call] = new HypercallLog().add(hypercalls(0, 1));
    assert.ok(call);
    assert.ok(callRepeats(call, { ...call, sequence: 1, time: 9, duration: 1 }));
    assert.ok(!callRepeats(call, { ...call, vcpu: 1 }));
    assert.ok(!callRepeats(call, { ...call, result: '0x1' }));
    assert.ok(!callRepeats(call, { ...call, arguments: [{ name: 'cmd', value: '0x0', text: 'read' }] }));
  });
});
