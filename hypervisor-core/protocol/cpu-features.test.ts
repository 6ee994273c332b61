import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuFeature, formatCpuChanges, isCpuFeature, parseCpuChanges } from './cpu-features.ts';

test('names are those of Linux', () => {
  assert.deepEqual(cpuFeature('smap'), { leaf: 7, index: 0, register: 'ebx', bit: 20 });
  assert.deepEqual(cpuFeature('nx'), { leaf: 0x8000_0001, index: 0, register: 'edx', bit: 20 });
  assert.deepEqual(cpuFeature('pni'), { leaf: 1, index: 0, register: 'ecx', bit: 0 });
  for (const none of ['', '-', 'SMAP', 'osxsave', 'constructor']) assert.equal(isCpuFeature(none), false);
  assert.throws(() => cpuFeature('simd'), RangeError);
});

test('changes are written as they are read', () => {
  assert.deepEqual(parseCpuChanges('-smap,+popcnt,-avx2'), { hide: ['smap', 'avx2'], expose: ['popcnt'] });
  assert.equal(formatCpuChanges(parseCpuChanges('-smap,+popcnt,-avx2')), '-smap,-avx2,+popcnt');
  assert.equal(formatCpuChanges(parseCpuChanges('')), '');
  assert.throws(() => parseCpuChanges('smap'), /"smap" must begin with -/);
  assert.throws(() => parseCpuChanges('-smap,'), /"" must begin with -/);
});
