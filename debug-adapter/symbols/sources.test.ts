import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchSource } from './sources.ts';

const known = [
  '/build/kernel/main.c',
  '/build/drivers/main.c',
  '/build/kernel/sched.c',
  'lib/string.c',
  '/build/lib/string.c',
];

test('a client path means the source with the longest common end', () => {
  assert.deepEqual(matchSource('/build/kernel/main.c', known), ['/build/kernel/main.c']);
  assert.deepEqual(matchSource('/build/kernel/../kernel/main.c', known), ['/build/kernel/main.c']);
  assert.deepEqual(matchSource('/home/me/kernel/main.c', known), ['/build/kernel/main.c']);
  assert.deepEqual(matchSource('/home/me/sched.c', known), ['/build/kernel/sched.c']);
});

test('what fits several sources equally well means none of them', () => {
  assert.deepEqual(matchSource('/home/me/main.c', known), []);
  assert.deepEqual(matchSource('/home/me/xmain.c', known), []);
  assert.deepEqual(matchSource('/', known), []);
});

test('a relative path means all that end in it', () => {
  assert.deepEqual(matchSource('main.c', known), ['/build/kernel/main.c', '/build/drivers/main.c']);
  assert.deepEqual(matchSource('drivers/main.c', known), ['/build/drivers/main.c']);
  assert.deepEqual(matchSource('other/main.c', known), []);
});
