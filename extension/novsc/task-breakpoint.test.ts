import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionForTask, symbolsAmong } from './task-breakpoint.ts';

test('a breakpoint of one task keeps what else is to hold', () => {
  assert.equal(conditionForTask(42), '$pid == 42');
  assert.equal(conditionForTask(42, ' sig == 9 '), '(sig == 9) && $pid == 42');
});

test('one of another task becomes one of this', () => {
  assert.equal(conditionForTask(7, '$pid == 42'), '$pid == 7');
  assert.equal(conditionForTask(7, conditionForTask(42, 'a || b')), '(a || b) && $pid == 7');
});

test('symbols are proposed once, registers and members not', () => {
  const completions = [
    { label: 'do_exit', type: 'value' },
    { label: '$rdi', type: 'property' },
    { label: 'do_exit', type: 'value' },
    { label: 'do_fork', type: 'value' },
    { label: 'comm' },
  ];
  assert.deepEqual(symbolsAmong(completions), ['do_exit', 'do_fork']);
});
