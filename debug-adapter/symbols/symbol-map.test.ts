import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SymbolFileError } from './api.ts';
import { damaged } from './fixtures/damage.ts';
import { build, nameOf, run, scratch, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

const variants: readonly Variant[] = [
  { compiler: 'gcc', optimisation: 2, dwarf: 5, kernel: true },
  { compiler: 'gcc', optimisation: 1, dwarf: 5, narrow: true },
];

/** As Linux's scripts/mksysmap makes it. */
function mapOf(program: string): string {
  const path = `${program}.map`;
  writeFileSync(path, run('nm', ['-n', '--defined-only', program]));
  return path;
}

describe('a text of symbols says what nm says', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const path = mapOf(build(variant));
      const symbols = await openSymbols(path);
      const lines = [...readFileSync(path, 'utf8').matchAll(/^([0-9a-f]+) (\w) (\S+)$/gm)];
      assert.ok(lines.length > 10);
      const at = new Map<bigint, string[]>();
      for (const [, digits, letter, name] of lines) {
        const address = BigInt(`0x${digits}`);
        at.set(address, [...(at.get(address) ?? []), name!]);
        const found = symbols.symbolsNamed(name!).find((each) => each.address === address);
        assert.ok(found, name);
        assert.equal(found.kind, 'Tt'.includes(letter!) ? 'function' : 'BbDdRr'.includes(letter!) ? 'object' : 'other');
        assert.equal(found.global, letter === letter!.toUpperCase());
      }
      const places = [...at.keys()].sort((a, b) => (a < b ? -1 : 1));
      for (const [index, address] of places.entries())
        for (const inside of [address, (places[index + 1] ?? address + 1n) - 1n])
          assert.ok(at.get(address)?.includes(symbols.symbolAt(inside)?.name ?? ''), inside.toString(16));
      assert.equal(symbols.symbolAt(places[0]! - 1n), undefined);
      assert.equal(symbols.symbolAt(places.at(-1)! + 4096n), undefined);
      assert.ok(symbols.namesWithPrefix('second_', 10).includes('second_entry'));
      assert.equal(symbols.machine, variant.narrow ? 'i386' : 'x86-64');
      symbols.close();
    });
  }
});

const kallsyms = `0000000000000000 A fixed_percpu_data
0000000000021000 D cpu_tss_rw
ffffffff81000000 T _stext
ffffffff81000010 t do_one\r
ffffffff81000040 W weak_one
ffffffff82000000 D jiffies
ffffffff82400000 B _end
ffffffffc0000000 t helper\t[first]
ffffffffc0000100 T first_init\t[first]
ffffffffc0010000 t helper\t[second]`;

test('a copy of /proc/kallsyms: modules apart, per-CPU variables as offsets, moved by KASLR', async () => {
  const path = scratch('kallsyms');
  writeFileSync(path, kallsyms);
  const symbols = await openSymbols(path);
  const nameAt = (address: bigint) => symbols.symbolAt(address)?.name;
  assert.deepEqual(symbols.sections, [
    { name: 'kernel', address: 0xffff_ffff_8100_0000n, size: 0x140_1000n },
    { name: 'first', address: 0xffff_ffff_c000_0000n, size: 0x1000n },
    { name: 'second', address: 0xffff_ffff_c001_0000n, size: 0x1000n },
  ]);
  assert.equal(nameAt(0xffff_ffff_8100_003fn), 'do_one');
  assert.equal(nameAt(0xffff_ffff_c000_0fffn), 'first_init');
  for (const nowhere of [0x21000n, 0xffff_ffff_8000_0000n, 0xffff_ffff_8300_0000n, 0xffff_ffff_c000_1000n])
    assert.equal(nameAt(nowhere), undefined);
  assert.deepEqual(
    symbols.symbolsNamed('helper').map(({ address }) => address),
    [0xffff_ffff_c000_0000n, 0xffff_ffff_c001_0000n],
  );
  symbols.moveBy(0x20_0000n);
  assert.equal(symbols.symbolsNamed('jiffies')[0]?.address, 0xffff_ffff_8220_0000n);
  assert.equal(symbols.symbolsNamed('cpu_tss_rw')[0]?.address, 0x21000n);
  assert.equal(nameAt(0xffff_ffff_8120_0045n), 'weak_one');
  symbols.close();
});

test('addresses that were kept from the reader are said to be', async () => {
  const path = scratch('hidden');
  writeFileSync(path, kallsyms.replaceAll(/^[0-9a-f]{16}/gm, '0'.repeat(16)));
  await assert.rejects(openSymbols(path), /address 0 for every symbol, as \/proc\/kallsyms has for all but root/);
});

/** A text as large as a distribution's kernel with its modules has it, its symbols in no order. */
function largeMap(count: number): { path: string; addressOf: (index: number) => bigint } {
  const path = scratch('large.map');
  const addressOf = (index: number) => {
    const mixed = (index * 7919) % count;
    return (index % 10 === 0 ? 0xffff_ffff_c000_0000n : 0xffff_ffff_8100_0000n) + BigInt(mixed) * 0x40n;
  };
  const lines = Array.from({ length: count }, (_, index) => {
    const module = index % 10 === 0 ? `\t[module_${index % 100}]` : '';
    return `${addressOf(index).toString(16)} ${'tTdD'[index % 4]} symbol_${index}${module}`;
  });
  writeFileSync(path, `${lines.join('\n')}\n`);
  return { path, addressOf };
}

test('of a large text no line is read and nothing is sorted in the thread that answers', async (t) => {
  const count = 200_000;
  const { path, addressOf } = largeMap(count);
  const read = t.mock.method(RegExp.prototype, 'exec');
  const sorted = [Float64Array, Uint32Array].map(({ prototype }) => t.mock.method(prototype, 'sort'));
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  const symbols = await openSymbols(path);
  clearInterval(ticking);
  const first = symbols.symbolAt(addressOf(4711) + 8n);
  const counts = { lines: read.mock.callCount(), sorts: sorted.map(({ mock }) => mock.callCount()) };
  t.mock.restoreAll();
  assert.equal(first?.name, 'symbol_4711');
  assert.ok(counts.lines < 100, `${counts.lines} lines`);
  assert.deepEqual(counts.sorts, [0, 0]);
  assert.ok(turns > 0, 'others had their turns meanwhile');
  for (let index = 1; index < count; index += 9973) {
    assert.equal(symbols.symbolAt(addressOf(index))?.name, `symbol_${index}`);
    assert.deepEqual(
      symbols.symbolsNamed(`symbol_${index}`).map(({ address }) => address),
      [addressOf(index)],
    );
  }
  symbols.close();
});

test('a large text that is of no use is refused as a small one is', async () => {
  const { path } = largeMap(10_000);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/^[0-9a-f]{16}/gm, '0'.repeat(16)));
  await assert.rejects(
    openSymbols(path),
    (error) => error instanceof SymbolFileError && /address 0/.test(error.message),
  );
});

test('damaged texts end in an error or an answer', async () => {
  const whole = Buffer.from(kallsyms);
  const path = scratch('damaged-text');
  for (let seed = 1; seed <= 300; seed++) {
    writeFileSync(path, damaged(whole, [{ offset: 0, size: whole.length }], seed));
    try {
      const symbols = await openSymbols(path);
      for (const name of symbols.namesWithPrefix('', 100)) {
        for (const { address } of symbols.symbolsNamed(name)) symbols.symbolAt(address);
      }
      symbols.close();
    } catch (error) {
      assert.ok(error instanceof SymbolFileError, `seed ${seed}: ${error}`);
    }
  }
});
