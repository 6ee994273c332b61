import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { changedRows, facesOf } from './row-changes.ts';
import type { StateNode } from './state-node.ts';

const says = ({ label, description }: StateNode) => `${label} ${description ?? ''}`;
const row = (id: string, description: string, children?: StateNode['children']): StateNode => ({
  ...{ id, label: id, description, icon: 'dash' },
  ...(children && { children }),
});
const registers = (rip: string, group = '') => [
  row('general', group, [row('rip', rip, [row('page', 'code')]), row('rsp', '0x8000')]),
  row('tables', '', async () => [row('entry', 'present')]),
];

const ALL = 'all';

/** Rows painted when `now` takes the place of `before`, rows of `read` having been read. */
const painted = (before: readonly StateNode[], now: readonly StateNode[], ...read: string[]) =>
  changedRows(now, facesOf(before, says), facesOf(now, says), (id) => read.includes(id))?.map(({ id }) => id) ?? [ALL];

describe('rows that are painted anew', () => {
  test('are those that say something else, and none where nothing does', () => {
    assert.deepEqual(painted(registers('0x1'), registers('0x2')), ['rip']);
    assert.deepEqual(painted(registers('0x1'), registers('0x1')), []);
  });

  test('are not named below one that is', () => {
    assert.deepEqual(painted(registers('0x1'), registers('0x2', '1 changed')), ['general']);
  });

  test('are those that have other rows below, come, gone or in another order', () => {
    const group = (...ids: string[]) => [row('group', '', ids.length > 0 ? ids.map((id) => row(id, '')) : undefined)];
    for (const [before, now] of [
      [group('a', 'b'), group('b', 'a')],
      [group('a'), group('a', 'b')],
      [group('a'), group()],
      [group(), [row('group', '', async () => [])]],
    ] as const) {
      assert.deepEqual(painted(before, now), ['group']);
    }
  });

  test('are all where the top rows are others', () => {
    assert.deepEqual(painted([], registers('0x1')), [ALL]);
    assert.deepEqual(painted(registers('0x1'), registers('0x1').slice(1)), [ALL]);
  });

  test('are those below which rows were read when they were asked for: these may say something else', () => {
    assert.deepEqual(painted(registers('0x1'), registers('0x1'), 'tables'), ['tables']);
    assert.deepEqual(painted(registers('0x1'), registers('0x2'), 'tables'), ['rip', 'tables']);
  });
});
