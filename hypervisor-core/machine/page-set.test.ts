import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PageSet } from './page-set.ts';

const PAGE = 4096;
const PAGES = 200;
const pagesOf = (set: PageSet, longest = PAGES) =>
  [...set.runs(PAGES, longest)].flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at));

const ranges = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: PAGES * PAGE - 1 }), fc.integer({ min: 0, max: 20 * PAGE }))
    .map(([start, length]) => ({ start, length: Math.min(length, PAGES * PAGE - start) })),
  { maxLength: 8 },
);

/** What the set should hold, the slow way. */
function touched(bytes: readonly { start: number; length: number }[]): number[] {
  return Array.from({ length: PAGES }, (_, page) => page).filter((page) =>
    bytes.some(({ start, length }) => length > 0 && start < (page + 1) * PAGE && start + length > page * PAGE),
  );
}

function filled(bytes: readonly { start: number; length: number }[]): PageSet {
  const set = new PageSet(PAGES * PAGE);
  for (const { start, length } of bytes) set.addBytes(start, length);
  return set;
}

describe('a set of pages', () => {
  test('holds the pages that bytes lie in, in runs of at most the length asked for', () => {
    fc.assert(
      fc.property(ranges, fc.integer({ min: 1, max: 70 }), (bytes, longest) => {
        const set = filled(bytes);
        assert.deepEqual(pagesOf(set, longest), touched(bytes));
        for (const { count } of set.runs(PAGES, longest)) assert.ok(count >= 1 && count <= longest);
      }),
    );
  });

  test('joins, and is emptied by taking', () => {
    fc.assert(
      fc.property(ranges, ranges, (one, other) => {
        const set = filled(one);
        set.addAll(filled(other));
        const taken = set.take(PAGES * PAGE);
        assert.deepEqual(pagesOf(taken), touched([...one, ...other]));
        assert.deepEqual(pagesOf(set), []);
      }),
    );
  });

  test('takes a bitmap of KVM, whose bits are in little-endian words', () => {
    const set = new PageSet(PAGES * PAGE);
    set.addBitmap(64 * PAGE, Uint32Array.of(0x8000_0001, 0x10));
    assert.deepEqual(pagesOf(set), [64, 95, 100]);
  });

  test('that is full has all pages of RAM and no more', () => {
    const set = new PageSet(PAGES * PAGE);
    set.fill();
    assert.equal(pagesOf(set).length, PAGES);
  });
});
