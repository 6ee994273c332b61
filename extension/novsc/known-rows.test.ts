import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownRows } from './known-rows.ts';
import type { StateNode } from './state-node.ts';

const node = (id: string, rest: Partial<StateNode> = {}): StateNode => ({ id, label: id, icon: 'dash', ...rest });

test('a row stays the same object and says what is new, and only that', () => {
  const known = new KnownRows();
  const [group] = known.take([node('group', { tooltip: 'old', children: [node('rip', { value: '1' }), node('rsp')] })]);
  const rip = known.get('rip');
  const source = [node('group', { children: [node('rip', { value: '2' })] })];
  const [again] = known.take(source);
  assert.equal(again, group);
  assert.equal(known.get('rip'), rip);
  assert.deepEqual([again], source);
  assert.ok(again);
  assert.equal((again.children as readonly StateNode[])[0], rip);
  assert.equal(known.get('rsp'), undefined);
  known.take([]);
  assert.notEqual(known.take(source)[0], group);
});
