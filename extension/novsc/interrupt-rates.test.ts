import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InterruptLogPart } from '../../debug-adapter/protocol/custom.ts';
import { InterruptRates } from './interrupt-rates.ts';

const log = (time: number, vectors: Readonly<Record<number, number>>, interrupts = 0): InterruptLogPart => ({
  ...{ time: time * 1e6, records: [], total: Object.values(vectors).reduce((sum, count) => sum + count, 0) },
  counts: Object.entries(vectors).map(([vector, count]) => ({ vector: Number(vector), count })),
  injections: [{ vcpu: 0, interrupts, nmis: 0 }],
});

test('rates are of the time between stops, each counted once, and begin anew with the guest', () => {
  const rates = new InterruptRates();
  rates.take(log(2, { 36: 10 }, 100));
  assert.deepEqual([rates.of('vector', 0x24), rates.of('vector', 0x30), rates.of('vCPU', 0)], [5, 0, 50]);
  const later = log(6, { 36: 10, 48: 80 }, 900);
  rates.take(later);
  rates.take(later);
  // 0x30 had not come by the stop before, which was more than two seconds ago.
  assert.deepEqual([rates.of('vector', 0x24), rates.of('vector', 0x30), rates.of('vCPU', 0)], [0, 20, 200]);
  rates.take(log(1, { 36: 3 }, 7));
  assert.deepEqual([rates.of('vector', 0x24), rates.of('vector', 0x30), rates.of('vCPU', 0)], [3, 0, 7]);
});
