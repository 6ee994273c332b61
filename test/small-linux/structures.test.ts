/** Structures of the small Linux, whose options leave out what Debian's kernel has, beside drgn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { smallLinux } from '../linux/linux-guest.ts';
import { drgnLayouts, layoutDifferences } from '../vmlinux/layouts.ts';
import { run } from '../vmlinux/vmlinux.ts';

const vmlinux = smallLinux.pvh.kernel;

/** Those that pahole lists once. */
function structures(): string[] {
  const names = [...run('pahole', ['-s', vmlinux]).matchAll(/^(\w+)\t/gm)].map(([, name = '']) => name);
  const count = new Map<string, number>();
  for (const name of names) count.set(name, (count.get(name) ?? 0) + 1);
  return names.filter((name) => count.get(name) === 1).map((name) => `struct ${name}`);
}

test('offsets and sizes of all members as drgn has them', async () => {
  const symbols = await openSymbols(vmlinux);
  try {
    await symbols.indexed;
    const theirs = drgnLayouts(vmlinux, structures());
    assert.ok(theirs.length > 1500, `drgn knows ${theirs.length}`);
    assert.deepEqual(layoutDifferences(symbols, theirs), []);
  } finally {
    symbols.close();
  }
});
