import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { accessFault } from './access.ts';
import { type PagingState, pagingMode } from './paging-mode.ts';
import { withAsyncReads, withReads } from './reads.ts';
import { scanPages } from './scan.ts';
import { listTable, NoSuchTableError } from './tables.ts';
import { type PageWalk, translate, walk } from './walk.ts';

const PG = 1n << 31n;
const WP = 1n << 16n;
const PSE = 1n << 4n;
const PAE = 1n << 5n;
const LA57 = 1n << 12n;
const LONG_NXE = 0xd00n;
const NX = 1n << 63n;

const longMode: PagingState = { cr0: PG | WP, cr3: 0x1000n, cr4: PAE, efer: LONG_NXE };

/** Memory of `size` bytes with 64-bit words at the given addresses. */
function memory(words: Record<number, bigint>, size = 0x10000): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [at, value] of Object.entries(words)) bytes.writeBigUInt64LE(value, Number(at));
  return bytes;
}

const reader = (bytes: Buffer) => (address: bigint, length: number) =>
  address < BigInt(bytes.length) ? bytes.subarray(Number(address), Number(address) + length) : new Uint8Array();

const walked = (state: PagingState, bytes: Buffer, address: bigint) => withReads(walk(state, address), reader(bytes));

function mapped(result: PageWalk['result']) {
  assert.equal(result.kind, 'mapped', result.kind === 'fault' ? result.reason : '');
  return result as PageWalk['result'] & { kind: 'mapped' };
}

function faultOf(result: PageWalk['result']): string {
  assert.equal(result.kind, 'fault');
  return result.kind === 'fault' ? result.reason : '';
}

describe('paging mode', () => {
  test('follows CR0.PG, CR4.PAE, EFER.LMA and CR4.LA57', () => {
    assert.equal(pagingMode({ ...longMode, cr0: 0n }), 'none');
    assert.equal(pagingMode({ ...longMode, cr4: 0n, efer: 0n }), '32-bit');
    assert.equal(pagingMode({ ...longMode, efer: 0n }), 'pae');
    assert.equal(pagingMode(longMode), '4-level');
    assert.equal(pagingMode({ ...longMode, cr4: PAE | LA57 }), '5-level');
  });

  test('none maps linear to physical', () => {
    assert.equal(
      mapped(walked({ ...longMode, cr0: 0n }, Buffer.alloc(0), 0x1_2345_6789n).result).physical,
      0x2345_6789n,
    );
  });
});

describe('4-level walk', () => {
  const bytes = memory({
    4096: 0x2007n,
    8184: 0x2003n,
    8192: 0x3007n,
    8200: 0x4000_0083n,
    12272: 0x3003n,
    12288: 0x4005n,
    12296: 0x20_01e3n,
    12304: 0x20_2083n,
    16384: 0x5067n | NX,
    16392: 0n,
    16400: 0xff_ffff_f003n,
  });

  test('finds pages of 4 KiB, 2 MiB and 1 GiB', () => {
    const small = walked(longMode, bytes, 0x123n);
    assert.deepEqual(mapped(small.result), {
      kind: 'mapped',
      physical: 0x5123n,
      size: 0x1000n,
      flags: ['U', 'A', 'D', 'NX'],
    });
    assert.deepEqual(
      small.steps.map(({ name, at }) => [name, at]),
      [
        ['PML4E', 0x1000n],
        ['PDPTE', 0x2000n],
        ['PDE', 0x3000n],
        ['PTE', 0x4000n],
      ],
    );
    const large = mapped(walked(longMode, bytes, 0x20_1234n).result);
    assert.deepEqual([large.physical, large.size, large.flags], [0x20_1234n, 0x20_0000n, ['W', 'A', 'D', 'G']]);
    const huge = mapped(walked(longMode, bytes, 0x4123_4567n).result);
    assert.deepEqual([huge.physical, huge.size], [0x4123_4567n, 0x4000_0000n]);
    assert.equal(mapped(walked(longMode, bytes, 0xffff_ffff_8000_0042n).result).physical, 0x5042n);
  });

  test('says why an address faults', () => {
    assert.match(faultOf(walked(longMode, bytes, 0x1000n).result), /^PTE 1 is not present/);
    assert.match(faultOf(walked(longMode, bytes, 0x8000_0000n).result), /^PDPTE 2 is not present/);
    assert.match(faultOf(walked(longMode, bytes, 0x1000_0000_0000n).result), /^PML4E 32 is not present/);
    assert.match(faultOf(walked(longMode, bytes, 0x40_0000n).result), /^PDE 2 has reserved bits set \(0x2000\)/);
    assert.match(faultOf(walked(longMode, bytes, 0x8000_0000_0000n).result), /not canonical/);
    assert.match(faultOf(walked({ ...longMode, cr3: 0x5_0000n }, bytes, 0n).result), /outside guest RAM/);
    assert.match(faultOf(walked({ ...longMode, efer: 0x500n }, bytes, 0n).result), /PTE 0 has reserved bits/);
    const narrow = { ...longMode, physicalBits: 36 };
    assert.match(faultOf(walked(narrow, bytes, 0x2000n).result), /PTE 2 has reserved bits set \(0xf000000000\)/);
  });

  test('reads the same over a socket', async () => {
    const read = reader(bytes);
    const address = await withAsyncReads(translate(longMode, 0x20_1234n), async (at, length) => read(at, length));
    assert.equal(address, 0x20_1234n);
  });

  test('lists tables, present entries only', () => {
    const list = (path: number[]) => withReads(listTable(longMode, path), reader(bytes));
    assert.deepEqual(
      list([]).map(({ index, address }) => [index, address]),
      [
        [0, 0n],
        [511, 0xffff_ff80_0000_0000n],
      ],
    );
    assert.deepEqual(
      list([511, 510]).map(({ name, address, leaf }) => [name, address, leaf]),
      [
        ['PDE', 0xffff_ffff_8000_0000n, false],
        ['PDE', 0xffff_ffff_8020_0000n, true],
        ['PDE', 0xffff_ffff_8040_0000n, true],
      ],
    );
    assert.throws(() => list([0, 1]), NoSuchTableError);
    assert.throws(() => list([1]), NoSuchTableError);
    assert.throws(() => list([-1]), NoSuchTableError);
    assert.throws(() => list([0, 0, 0, 0, 0]), NoSuchTableError);
  });
});

describe('other modes', () => {
  test('5-level has one level more and 57 bits', () => {
    const bytes = memory({ 6144: 0x2003n, 8192: 0x3003n, 12288: 0x83n });
    const state = { ...longMode, cr4: PAE | LA57 };
    const address = 0xff00_0000_0000_0000n;
    assert.equal(mapped(walked(state, bytes, address + 0x1234n).result).physical, 0x1234n);
    assert.match(faultOf(walked(state, bytes, 0x0100_0000_0000_0000n).result), /not canonical/);
  });

  test('32-bit: 4 MiB pages and PSE-36', () => {
    const bytes = Buffer.alloc(0x3000);
    bytes.writeUInt32LE(0x2007, 0x1000);
    bytes.writeUInt32LE(0x0040_4083, 0x1004);
    bytes.writeUInt32LE(0x0080_0083 | 0x20_0000, 0x1008);
    bytes.writeUInt32LE(0x5003, 0x2004);
    const state: PagingState = { cr0: PG, cr3: 0x1000n, cr4: PSE, efer: 0n };
    assert.equal(mapped(walked(state, bytes, 0x1fffn).result).physical, 0x5fffn);
    assert.equal(mapped(walked(state, bytes, 0x40_0001n).result).physical, 0x2_0040_0001n);
    assert.match(faultOf(walked(state, bytes, 0x80_0000n).result), /reserved bits set \(0x200000\)/);
    assert.match(faultOf(walked({ ...state, physicalBits: 32 }, bytes, 0x40_0001n).result), /0x4000/);
    const noLargePages = walked({ ...state, cr4: 0n }, bytes, 0x40_0001n);
    assert.equal(noLargePages.steps[0]?.leaf, false);
  });

  test('PAE: four root entries without rights', () => {
    const bytes = memory({ 4128: 0x2001n, 4136: 0x2003n, 8192: 0xe7n });
    const state: PagingState = { cr0: PG, cr3: 0x1020n, cr4: PAE, efer: 0x800n };
    assert.deepEqual(mapped(walked(state, bytes, 0x1234n).result).flags, ['W', 'U', 'A', 'D']);
    assert.match(faultOf(walked(state, bytes, 0x4000_0000n).result), /PDPTE 1 has reserved bits set \(0x2\)/);
  });
});

describe('rights', () => {
  const page = (...flags: string[]) => ({ kind: 'mapped', physical: 0n, size: 4096n, flags }) as const;
  const state = { ...longMode, cr4: PAE | (1n << 20n) | (1n << 21n) };
  const supervisor = { user: false } as const;

  test('name the rule that is broken', () => {
    assert.match(accessFault(state, page('W'), { kind: 'read', user: true }) ?? '', /U\/S/);
    assert.match(accessFault(state, page('U'), { kind: 'write', user: true }) ?? '', /read-only/);
    assert.match(accessFault(state, page('U', 'NX'), { kind: 'fetch', user: true }) ?? '', /NX/);
    assert.match(accessFault(state, page(), { kind: 'write', ...supervisor }) ?? '', /CR0\.WP/);
    assert.match(accessFault(state, page('U', 'W'), { kind: 'read', ...supervisor }) ?? '', /SMAP/);
    assert.match(accessFault(state, page('U', 'W'), { kind: 'fetch', ...supervisor }) ?? '', /SMEP/);
  });

  test('let through what the processor lets through', () => {
    assert.equal(accessFault({ ...state, cr0: PG }, page(), { kind: 'write', ...supervisor }), undefined);
    const suspended = { kind: 'write', ...supervisor, alignmentCheck: true } as const;
    assert.equal(accessFault(state, page('U', 'W'), suspended), undefined);
    assert.equal(accessFault(longMode, page('U', 'W'), { kind: 'fetch', ...supervisor }), undefined);
    assert.equal(accessFault(state, page('U', 'W'), { kind: 'write', user: true }), undefined);
  });
});

describe('hostile tables', () => {
  test('that point to themselves are cut off', () => {
    const bytes = Buffer.alloc(0x1000);
    for (let at = 0; at < 0x1000; at += 8) bytes.writeBigUInt64LE(7n, at);
    const space = withReads(scanPages({ ...longMode, cr3: 0n }, { tables: 1000, runs: 1000 }), reader(bytes));
    assert.equal(space.truncated, true);
  });

  test('never break the walk', () => {
    const state = fc.record({
      cr0: fc.constantFrom(0n, PG, PG | WP),
      cr3: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      cr4: fc.constantFrom(0n, PSE, PAE, PAE | LA57),
      efer: fc.constantFrom(0n, 0x500n, LONG_NXE),
      physicalBits: fc.integer({ min: 32, max: 52 }),
    });
    const wide = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    fc.assert(
      fc.property(state, wide, fc.uint8Array({ minLength: 4, maxLength: 64 }), (paging, address, pattern) => {
        const read = (_: bigint, length: number) =>
          Uint8Array.from({ length }, (_, at) => pattern[at % pattern.length]!);
        const { steps, result } = withReads(walk(paging, address), read);
        assert.ok(steps.length <= 5);
        if (result.kind === 'mapped') assert.ok(result.physical >= 0n && result.physical < 1n << 52n);
        withReads(scanPages(paging, { tables: 20, runs: 20 }), read);
      }),
      { numRuns: 300 },
    );
  });
});
