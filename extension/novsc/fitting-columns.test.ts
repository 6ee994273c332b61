import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exitColumns, traceColumns } from './exit-rows.ts';
import { fittingColumns } from './fitting-columns.ts';
import { callColumns, countColumns } from './hypercall-rows.ts';
import type { Column } from './table.ts';
import { vcpuColumns } from './vcpu-rows.ts';

const columns = [{ width: '10em' }, { width: 'minmax(5em, 1fr)', rank: 2 }, { width: '4em', rank: 1 }];

describe('fittingColumns', () => {
  test('shows all where there is room', () => {
    // 19 em of 10 pixels, two gaps, the padding at both sides.
    assert.deepEqual(fittingColumns(columns, { width: 226, em: 10 }), [0, 1, 2]);
  });

  test('leaves out the highest rank first, and never a column without', () => {
    assert.deepEqual(fittingColumns(columns, { width: 225, em: 10 }), [0, 2]);
    assert.deepEqual(fittingColumns(columns, { width: 165, em: 10 }), [0]);
    assert.deepEqual(fittingColumns(columns, { width: 1, em: 10 }), [0]);
  });

  test('of equal ranks, leaves out the last first', () => {
    const equal = [{ width: '5em', rank: 1 }, { width: '5em' }, { width: '5em', rank: 1 }];
    assert.deepEqual(fittingColumns(equal, { width: 140, em: 10 }), [0, 1]);
  });
});

/** What a page has inside in a side bar as wide as VS Code makes it at first, with a scroll bar. */
const sideBar = { width: 288, em: 13 };

const tables: Readonly<Record<string, [columns: readonly Column<never>[], shown: string]>> = {
  calls: [callColumns, 'call times args'],
  'by call': [countColumns, 'call calls rate'],
  reasons: [exitColumns.reason, 'reason count share'],
  places: [exitColumns.place, 'address device count'],
  code: [exitColumns.rip, 'where count share'],
  trace: [traceColumns, 'reason address value'],
  vCPUs: [vcpuColumns, 'vcpu activity where guest'],
};

for (const [name, [all, shown]] of Object.entries(tables)) {
  test(`a narrow side bar has room for what counts most: ${name}`, () => {
    const keys = fittingColumns(all, sideBar).map((place) => all[place]?.key);
    assert.equal(keys.join(' '), shown);
  });
}
