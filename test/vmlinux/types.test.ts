import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { drgnLayouts, layoutDifferences, structuresOnce } from './layouts.ts';
import { run, vmlinux } from './vmlinux.ts';

test("structures of Debian's kernel: offsets and sizes of all members as drgn has them", async () => {
  const symbols = await openSymbols(vmlinux);
  await symbols.indexed;
  const theirs = drgnLayouts(vmlinux, structuresOnce(run('bpftool', ['btf', 'dump', 'file', vmlinux])));
  assert.ok(theirs.length > 5000, `drgn knows ${theirs.length}`);
  assert.deepEqual(layoutDifferences(symbols, theirs), []);
  symbols.close();
});
