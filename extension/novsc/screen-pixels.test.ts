import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canvasPixels } from './screen-pixels.ts';

test('XRGB8888 becomes opaque RGBA, row by row', () => {
  const bytes = Uint8Array.of(
    ...[9, 9, 9, 9],
    ...[1, 2, 3, 0, 4, 5, 6, 77],
    ...[8, 8],
    ...[7, 8, 9, 0, 10, 11, 12, 255],
  );
  assert.deepEqual(
    [...canvasPixels(bytes, { offset: 4, count: 2, width: 2, stride: 10 })],
    [3, 2, 1, 255, 6, 5, 4, 255, 9, 8, 7, 255, 12, 11, 10, 255],
  );
  assert.throws(() => canvasPixels(bytes, { offset: 4, count: 3, width: 2, stride: 10 }), /rows are missing/);
});
