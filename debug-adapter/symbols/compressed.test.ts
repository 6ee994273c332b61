import assert from 'node:assert/strict';
import { test } from 'node:test';
import { build, run, scratch } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

for (const kind of ['zlib', 'zlib-gnu', 'zstd']) {
  test(`sections compressed with ${kind} by objcopy say what they said`, async () => {
    const plain = build({ compiler: 'gcc', optimisation: 1, dwarf: 5, kernel: true });
    const packed = scratch(`packed-${kind}`);
    run('objcopy', [`--compress-debug-sections=${kind}`, plain, packed]);
    const [a, b] = [await openSymbols(plain), await openSymbols(packed)];
    const [found] = a.symbolsNamed('run');
    assert.ok(found);
    const { address, size } = found;
    for (let at = address; at < address + size; at++) assert.deepEqual(b.lineAt(at), a.lineAt(at));
    assert.ok(a.lineAt(address));
    assert.deepEqual(b.sources(), a.sources());
    assert.deepEqual(await b.placesForFunction('middle'), await a.placesForFunction('middle'));
    assert.deepEqual(b.problems, []);
    for (const symbols of [a, b]) symbols.close();
  });
}
