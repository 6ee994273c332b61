import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { typeName } from '../../debug-adapter/expressions/type-name.ts';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { drgnLayouts, layoutDifferences, structuresOnce } from './layouts.ts';
import { isPadding, run, sampleFunctions, vmlinux } from './vmlinux.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-btf-'));
const stripped = join(folder, 'vmlinux');
const btf = run('bpftool', ['btf', 'dump', 'file', vmlinux]);
let symbols: OpenSymbols;
/** Of the image without its DWARF. */
let byBtf: OpenSymbols;
let theirs: readonly string[];

before(async () => {
  run('objcopy', ['--strip-debug', vmlinux, stripped]);
  symbols = await openSymbols(vmlinux);
  byBtf = await openSymbols(stripped, { debugFolder: folder });
  await symbols.indexed;
  theirs = drgnLayouts(vmlinux, structuresOnce(btf));
  assert.ok(theirs.length > 5000, `drgn knows ${theirs.length}`);
});
after(() => {
  for (const each of [symbols, byBtf]) each.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("BTF of Debian's kernel, without DWARF", () => {
  test('offsets and sizes of all members as drgn has them', () => {
    assert.deepEqual(byBtf.sources(), []);
    assert.deepEqual(layoutDifferences(byBtf, theirs), []);
  });

  test('enumerators as bpftool has them', () => {
    const found = [...btf.matchAll(/^\t'(\w+)' val=(-?\d+)/gm)];
    const count = new Map<string, number>();
    for (const [, name = ''] of found) count.set(name, (count.get(name) ?? 0) + 1);
    const once = found.filter(([, name = ''], index) => count.get(name) === 1 && index % 16 === 0);
    assert.ok(once.length > 500, `${once.length}`);
    // Before Linux 6.0 nothing says which enumerations have a sign: bpftool takes none to have one.
    const saysSigns = btf.includes(' encoding=SIGNED ');
    const differences = once.flatMap(([, name = '', value = '']) => {
      const ours = byBtf.enumerator(name)?.value ?? assert.fail(name);
      const same = (saysSigns ? ours : BigInt.asUintN(32, ours)) === BigInt(value);
      return same ? [] : [`${name}: ${ours} instead of ${value}`];
    });
    assert.deepEqual(differences, []);
  });

  test('types of members as DWARF has them', () => {
    let compared = 0;
    // Those that drgn knows, too: others are known within a function only.
    const sample = theirs.filter((_, index) => index % 4 === 0).map((part) => part.split(' ', 2));
    const differences = sample.flatMap(([kind = '', name = '']) => {
      const [ours, other] = [byBtf, symbols].map((each) => {
        const type = each.typeNamed(name, kind as 'struct' | 'union');
        return type?.kind === 'struct' || type?.kind === 'union' ? type.members : [];
      });
      return (ours ?? []).flatMap((member, index) => {
        const [mine, wanted] = [member.type, other?.[index]?.type].map((type) => type && oneDimension(typeName(type)));
        compared++;
        return mine === wanted ? [] : [`${name}.${member.name}: ${mine} instead of ${wanted}`];
      });
    });
    assert.ok(compared > 10_000, `${compared} members`);
    assert.deepEqual(differences, []);
  });

  test('functions as DWARF has them', () => {
    let compared = 0;
    // Of functions of the same name BTF has one.
    const isOne = (name: string) => !isPadding(name) && symbols.symbolsNamed(name).length === 1;
    const differences = sampleFunctions(vmlinux, 600)
      .filter(({ name }) => isOne(name))
      .slice(0, 300)
      .flatMap(({ name, address }) => {
        const [ours] = byBtf.globals(name);
        const described = symbols.functionAt(address);
        if (ours?.type.kind !== 'function' || described?.low !== address) return [];
        const level = symbols.inlineLevels(address).length - 1;
        const parameters = symbols.variablesAt(address, level).filter(({ kind }) => kind === 'argument');
        const returns = described.returns ?? ({ kind: 'void' } as const);
        const [mine, wanted] = [
          [ours.type.returns, ...ours.type.parameters],
          [returns, ...parameters.map(({ type }) => type)],
        ].map((types) => types.map((type) => oneDimension(typeName(type))).join());
        compared++;
        return mine === wanted ? [] : [`${name}: ${mine} instead of ${wanted}`];
      });
    assert.ok(compared > 150, `${compared} functions`);
    assert.deepEqual(differences, []);
  });
});

/** BTF's writers make one dimension of several, and an array of none of a flexible one. */
const oneDimension = (text: string): string => {
  const dimensions = [...text.matchAll(/\[(\d*)\]/g)].map(([, count]) => Number(count || 0));
  if (dimensions.length === 0) return text;
  return text.replace(/(\[\d*\])+/, `[${dimensions.reduce((product, count) => product * count, 1)}]`);
};
