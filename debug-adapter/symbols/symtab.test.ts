import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { build, nameOf, run, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

const variants: readonly Variant[] = [
  { compiler: 'gcc', optimisation: 2, dwarf: 5, kernel: true },
  { compiler: 'gcc', optimisation: 1, dwarf: 5, narrow: true },
];

describe('symbols as nm has them', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const program = build(variant);
      const symbols = await openSymbols(program);
      const listed = [
        ...run('nm', ['--print-size', program]).matchAll(/^([0-9a-f]+) (?:([0-9a-f]+) )?([a-zA-Z]) (\S+)$/gm),
      ];
      assert.ok(listed.length > 10);
      for (const [, address, size, letter, name] of listed) {
        const found = symbols.symbolsNamed(name!).find((each) => each.address === BigInt(`0x${address}`));
        assert.ok(found, name);
        assert.equal(found.size, BigInt(`0x${size ?? 0}`), name);
        assert.equal(found.global, letter === letter!.toUpperCase(), name);
        if (size === undefined || !'tT'.includes(letter!)) continue;
        for (const at of [found.address, found.address + found.size - 1n])
          assert.equal(symbols.symbolAt(at)?.name, name);
      }
      assert.ok(symbols.namesWithPrefix('second_', 10).includes('second_entry'));
      assert.deepEqual(symbols.namesWithPrefix('', 3).length, 3);
      assert.equal(symbols.symbolAt(0x10n), undefined);
      symbols.close();
    });
  }
});
