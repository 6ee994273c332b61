/** The scan against the walk, which QEMU has checked: whatever the tables hold, both say the same of every page. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { heatMap } from './heat.ts';
import { PageFlag, pageFlagNames } from './page-flags.ts';
import { type PagingState, pagingMode, tableLevels } from './paging-mode.ts';
import { addressOf, mappingsOf, pageRanges } from './ranges.ts';
import { withReads } from './reads.ts';
import { isMapped, type PageRun, scanPages } from './scan.ts';
import { packScan, unpackScan } from './scan-codec.ts';
import { diffScans } from './scan-diff.ts';
import { walk } from './walk.ts';

const PG = 1n << 31n;
const states: readonly PagingState[] = [
  { cr0: PG, cr3: 0x1000n, cr4: 0x10n, efer: 0n },
  { cr0: PG, cr3: 0x1000n, cr4: 0n, efer: 0n },
  { cr0: PG, cr3: 0x1020n, cr4: 0x20n, efer: 0x800n },
  { cr0: PG, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n, physicalBits: 40 },
  { cr0: PG, cr3: 0x1000n, cr4: 0x20n, efer: 0x500n },
  { cr0: PG, cr3: 0x1000n, cr4: 0x1020n, efer: 0xd00n },
];

const TABLES = 8;
/** Memory of a few pages that hold tables, filled with entries that mostly point to one another. */
const memory = fc
  .array(
    fc.record({
      at: fc.nat(TABLES * 512 - 1),
      table: fc.nat(TABLES + 1),
      low: fc.nat(0xfff),
      high: fc.constantFrom(0n, 0n, 0n, 1n << 63n, 1n << 52n, 1n << 45n),
    }),
    { maxLength: 120 },
  )
  .map((entries) => {
    const words = new BigUint64Array(TABLES * 512);
    for (const { at, table, low, high } of entries) words[at] = (BigInt(table) << 12n) | BigInt(low) | high;
    return new Uint8Array(words.buffer);
  });

const reader = (bytes: Uint8Array) => (address: bigint, length: number) =>
  address < BigInt(bytes.length) ? bytes.subarray(Number(address), Number(address) + length) : new Uint8Array();

/** What the runs say of one address, in the words of a walk. */
function lookUp(runs: readonly PageRun[], address: bigint) {
  const page = Number(address >> 12n);
  const run = runs.find((one) => page >= one.page && page < one.page + one.pages);
  if (!run || !isMapped(run.flags)) return undefined;
  const flags = pageFlagNames(run.flags).filter((flag) => flag !== 'P');
  return { physical: addressOf(run.frame + page - run.frame + (run.frame - run.page)), flags: flags.sort() };
}

const { present: P, writable: W, user: U, noExecute: NX, accessed: A, dirty: D } = PageFlag;
const run = (page: number, frame: number, pages: number, flags: number, level = 1): PageRun => ({
  page,
  frame,
  pages,
  flags,
  level,
});

describe('scan', () => {
  for (const state of states) {
    test(`${pagingMode(state)} (EFER ${state.efer.toString(16)}): says of every address what the walk says`, () => {
      const levels = tableLevels(state);
      const indices = fc.array(fc.nat(1023), { minLength: levels.length, maxLength: levels.length });
      fc.assert(
        fc.property(memory, fc.array(indices, { minLength: 20, maxLength: 20 }), (bytes, places) => {
          const read = reader(bytes);
          const { runs, truncated } = withReads(scanPages(state, { tables: 3000, runs: 100_000 }), read);
          fc.pre(!truncated);
          const ends = runs.flatMap(({ page, pages }) => [addressOf(page), addressOf(page + pages - 1)]);
          const chosen = places.map((place) => {
            const bits = place.map((index, depth) => {
              const level = levels[depth];
              return level ? BigInt(index % (1 << Number(level.indexBits))) << level.shift : 0n;
            });
            const address = bits.reduce((sum, bit) => sum | bit, 0n);
            const width = levels.length === 5 ? 57 : 48;
            return levels.length > 3 ? BigInt.asUintN(64, BigInt.asIntN(width, address)) : address;
          });
          for (const address of [...ends.slice(0, 50), ...chosen]) {
            const { result } = withReads(walk(state, address), read);
            const expected =
              result.kind === 'mapped' ? { physical: result.physical, flags: [...result.flags].sort() } : undefined;
            assert.deepEqual(lookUp(runs, address), expected, address.toString(16));
          }
        }),
        { numRuns: 60, seed: 5 },
      );
    });
  }

  test('comes through JSON as it was', () => {
    const scan = {
      runs: [run(2 ** 52 - 7, 2 ** 40 - 9, 7, P | D, 2), run(0, 0, 1, P)],
      tables: [{ frame: 2 ** 40 - 1, level: 5 }],
      truncated: true,
    };
    assert.deepEqual(unpackScan(JSON.parse(JSON.stringify(packScan(scan)))), scan);
  });

  test('without paging there is nothing to scan', () => {
    assert.deepEqual(withReads(scanPages({ cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n }), () => new Uint8Array()).runs, []);
  });
});

describe('ranges', () => {
  test('join runs that differ in accessed and dirty only, and count those', () => {
    const runs = [
      run(0x10, 5, 2, P | W | A | D),
      run(0x12, 7, 1, P | W | A),
      run(0x13, 20, 1, P | W),
      run(0x14, 21, 1, P),
    ];
    assert.deepEqual(pageRanges(runs), [
      {
        start: 0x10000n,
        size: 0x4000n,
        flags: P | W,
        level: 1,
        physical: undefined,
        accessed: 0x3000n,
        dirty: 0x2000n,
      },
      { start: 0x14000n, size: 0x1000n, flags: P, level: 1, physical: 0x15000n, accessed: 0n, dirty: 0n },
    ]);
    assert.equal(pageRanges(runs.slice(0, 2))[0]?.physical, 0x5000n);
  });

  test('find all addresses of a physical one', () => {
    const runs = [
      run(0x10, 5, 4, P | W),
      run(0x7_ffff_0000, 0, 512, P | NX, 2),
      run(0x80, 6, 1, P | PageFlag.reserved),
    ];
    assert.deepEqual(
      mappingsOf(runs, 0x6123n).map(({ address }) => address),
      [0x11123n, 0x7_ffff_0006_123n],
    );
    assert.deepEqual(mappingsOf(runs, 0x2_0000_0000n), []);
  });
});

describe('heat map', () => {
  test('has cells of 2 MiB while they are few, and larger ones when they are many', () => {
    const runs = [run(0, 0, 512, P | A), run(512, 512, 1, P | A | D), run(1000, 1, 100, P)];
    assert.deepEqual(heatMap(runs, 10), {
      cellPages: 512,
      cells: [
        { page: 0, mapped: 512, accessed: 512, dirty: 0 },
        { page: 512, mapped: 1 + 24, accessed: 1, dirty: 1 },
        { page: 1024, mapped: 76, accessed: 0, dirty: 0 },
      ],
    });
    assert.deepEqual(heatMap(runs, 2).cells, [
      { page: 0, mapped: 537, accessed: 513, dirty: 1 },
      { page: 1024, mapped: 76, accessed: 0, dirty: 0 },
    ]);
  });

  test('counts every page once whatever the cells are', () => {
    const runs = [run(3, 0, 2 ** 30, P | A), run(2 ** 52 - 7, 9, 7, P | D)];
    for (const most of [2, 7, 4096]) {
      const { cells } = heatMap(runs, most);
      assert.ok(cells.length <= most);
      assert.equal(
        cells.reduce((sum, { mapped }) => sum + mapped, 0),
        2 ** 30 + 7,
      );
    }
  });
});

describe('diff', () => {
  const kinds = (before: PageRun[], after: PageRun[]) =>
    diffScans(before, after).map(({ kind, page, pages }) => `${kind} ${page}+${pages}`);

  test('names what became of pages', () => {
    const before = [run(0, 100, 10, P | W), run(20, 200, 5, P), run(30, 300, 5, P | W), run(40, 400, 1, P | W)];
    const after = [
      run(0, 100, 4, P | W),
      run(4, 104, 2, P | W | A | D),
      run(6, 106, 4, P),
      run(20, 500, 5, P),
      run(25, 9, 1, P),
    ];
    assert.deepEqual(kinds(before, after), [
      'used 4+2',
      'rights 6+4',
      'moved 20+5',
      'mapped 25+1',
      'unmapped 30+5',
      'unmapped 40+1',
    ]);
    assert.deepEqual(kinds(before, before), []);
    assert.deepEqual(kinds([run(0, 0, 512, P, 2)], [run(0, 0, 512, P, 1)]), ['page size 0+512']);
  });

  test('says of each page what the two lists say of it', () => {
    const flags = fc.constantFrom(0, P, P | W, P | U, P | W | A);
    const list = fc
      .array(fc.record({ gap: fc.nat(3), pages: fc.integer({ min: 1, max: 5 }), frame: fc.nat(20), flags }), {
        maxLength: 12,
      })
      .map((parts) => {
        let page = 0;
        return parts.map(({ gap, pages, frame, flags }) => {
          const at = page + gap;
          page = at + pages;
          return run(at, frame, pages, flags);
        });
      });
    const at = (runs: readonly PageRun[], page: number) => {
      const one = runs.find((each) => page >= each.page && page < each.page + each.pages && isMapped(each.flags));
      return one && `${one.frame + page - one.page} ${one.flags} ${one.level}`;
    };
    fc.assert(
      fc.property(list, list, (before, after) => {
        const changes = diffScans(before, after);
        for (let page = 0; page < 100; page++) {
          const change = changes.filter((one) => page >= one.page && page < one.page + one.pages);
          assert.equal(change.length, at(before, page) === at(after, page) ? 0 : 1, `page ${page}`);
        }
      }),
      { seed: 9 },
    );
  });
});
