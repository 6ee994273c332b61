import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Column, exportRows, nextSort, selectRows } from './table.ts';

interface Row {
  readonly name: string;
  readonly at: bigint;
}

const columns: readonly Column<Row>[] = [
  { key: 'name', title: 'Name', width: '1fr', text: ({ name }) => name },
  { key: 'at', title: 'Address', width: '8em', text: ({ at }) => `0x${at.toString(16)}`, order: ({ at }) => at },
];

const rows: readonly Row[] = [
  { name: 'text', at: 0x1000n },
  { name: 'stack', at: 0x900n },
  { name: 'Text of modules', at: 0xffff_ffff_a000_0000n },
];

const names = (shown: readonly Row[]) => shown.map(({ name }) => name);

describe('selectRows', () => {
  test('keeps rows that have all words somewhere, in any case', () => {
    assert.deepEqual(names(selectRows(rows, columns, { search: 'TEXT', filters: [] })), ['text', 'Text of modules']);
    assert.deepEqual(names(selectRows(rows, columns, { search: 'ffff text', filters: [] })), ['Text of modules']);
    assert.equal(selectRows(rows, columns, { search: '', filters: [] }), rows);
  });

  test('keeps rows that pass all filters', () => {
    const low = { key: 'low', title: 'low', hint: '', test: ({ at }: Row) => at < 0x10000n };
    assert.deepEqual(names(selectRows(rows, columns, { search: 'st', filters: [low] })), ['stack']);
  });

  test('sorts by the number, not by its text', () => {
    const sort = { key: 'at', descending: false };
    assert.deepEqual(names(selectRows(rows, columns, { search: '', filters: [], sort })), [
      'stack',
      'text',
      'Text of modules',
    ]);
  });

  test('a head sorts up, then down, then not', () => {
    const up = nextSort(undefined, 'at');
    const down = nextSort(up, 'at');
    assert.deepEqual(
      [up, down, nextSort(down, 'at')],
      [{ key: 'at', descending: false }, { key: 'at', descending: true }, undefined],
    );
    assert.deepEqual(nextSort(down, 'name'), { key: 'name', descending: false });
  });
});

describe('exportRows', () => {
  test('CSV is what Python reads back', () => {
    const script =
      'import csv,json,sys; print(json.dumps(list(csv.reader(sys.stdin.buffer.read().decode().splitlines(True)))))';
    const hard = fc.sample(fc.string({ unit: fc.constantFrom(...'a",\'; =é'), maxLength: 12 }), {
      numRuns: 200,
      seed: 1,
    });
    const given = hard.map((name, index) => ({ name, at: BigInt(index) }));
    const python = spawnSync('python3', ['-c', script], { input: exportRows(given, columns, 'csv'), encoding: 'utf8' });
    assert.equal(python.status, 0, python.stderr);
    const expected = given.map(({ name, at }) => [name, `0x${at.toString(16)}`]);
    assert.deepEqual(JSON.parse(python.stdout), [['name', 'at'], ...expected]);
  });

  test('JSON has an object for each row', () => {
    assert.deepEqual(JSON.parse(exportRows(rows.slice(0, 1), columns, 'json')), [{ name: 'text', at: '0x1000' }]);
  });
});
