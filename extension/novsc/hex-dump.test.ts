import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { hexDump } from './hex-dump.ts';

/** Bytes and text of a dump, without the layout. */
const cells = (dump: string, width: number) =>
  dump
    .trimEnd()
    .split('\n')
    .map((line) => [
      line
        .slice(17, 17 + width)
        .replace(/\s+/g, ' ')
        .trim(),
      line.slice(17 + width).trim(),
    ]);

test('shows the bytes that od shows', () => {
  for (const length of [1, 8, 16, 17, 300]) {
    const bytes = randomBytes(length);
    const od = spawnSync('od', ['-v', '-A', 'n', '-t', 'x1z'], { input: bytes, encoding: 'utf8' });
    const expected = od.stdout
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, hex = '', text = ''] = /^((?: [0-9a-f]{2})+) *>(.*)<$/.exec(line) ?? [];
        return [hex.trim(), text.trim()];
      });
    assert.deepEqual(cells(hexDump(0n, bytes), 52), expected);
  }
});

test('addresses are 16 digits and wrap at 2^64', () => {
  const lines = hexDump(0xfffffffffffffff0n, new Uint8Array(17)).split('\n');
  assert.match(lines[0] ?? '', /^fffffffffffffff0 /);
  assert.match(lines[1] ?? '', /^0000000000000000 {2}00/);
});
