import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownRows } from './known-rows.ts';
import { listed, type StateNode } from './state-node.ts';

/** The row with this id, of these and all below them. */
const found = (rows: readonly StateNode[], id: string): StateNode | undefined =>
  rows.find((row) => row.id === id) ?? rows.map((row) => found(listed(row), id)).find((row) => row);

const node = (id: string, rest: Partial<StateNode> = {}): StateNode => ({ id, label: id, icon: 'dash', ...rest });

test('a row stays the same object and says what is new, and only that', () => {
  const known = new KnownRows();
  const first = known.take([node('group', { tooltip: 'old', children: [node('rip', { value: '1' }), node('rsp')] })]);
  const [group, rip] = ['group', 'rip'].map((id) => found(first, id));
  assert.ok(group && rip);
  const source = [node('group', { children: [node('rip', { value: '2' })] })];
  const again = known.take(source);
  assert.equal(again[0], group);
  assert.equal(found(again, 'rip'), rip);
  assert.deepEqual(again, source);
  assert.equal(found(again, 'rsp'), undefined);
  known.take([]);
  assert.notEqual(known.take(source)[0], group);
});
