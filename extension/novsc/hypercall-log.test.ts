import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hypercalls } from '../../test/e2e/fake/snapshot.ts';
import { HypercallLog, LOG_CAPACITY } from './hypercall-log.ts';
import { hypercallRow } from './hypercall-messages.ts';

describe('HypercallLog', () => {
  test('takes overlapping batches once', () => {
    const log = new HypercallLog();
    assert.equal(log.add(hypercalls(0, 10)).length, 10);
    assert.deepEqual(
      log.add(hypercalls(5, 12)).map((record) => record.sequence),
      [10, 11],
    );
    assert.equal(log.add(hypercalls(0, 12)).length, 0);
    assert.deepEqual(log.counts, { total: 12, dropped: 0 });
  });

  test('counts what was lost between two batches', () => {
    const log = new HypercallLog();
    log.add(hypercalls(0, 3));
    log.add(hypercalls(7, 9));
    assert.deepEqual(log.counts, { total: 9, dropped: 4 });
  });

  test('keeps the newest', () => {
    const log = new HypercallLog();
    log.add(hypercalls(0, LOG_CAPACITY));
    log.add(hypercalls(LOG_CAPACITY, LOG_CAPACITY + 5));
    assert.equal(log.records.length, LOG_CAPACITY);
    assert.equal(log.records[0]?.sequence, 5);
    assert.equal(log.next, LOG_CAPACITY + 5);
  });

  test('rows say where a call came from by its caller', () => {
    const log = new HypercallLog();
    const [record] = log.add(hypercalls(0, 1));
    assert.ok(record);
    const row = hypercallRow(record, log.symbol(record));
    assert.equal(row.where, 'say_hello+0x34');
    assert.equal(row.address, record.caller);
    assert.equal(row.call, 'console_io');
    assert.equal(row.args, 'cmd=write, count=0x0');
  });
});
