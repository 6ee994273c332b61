import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type OpenSymbols, SymbolFileError, type Type } from './api.ts';
import { ElfFile } from './elf.ts';
import { damaged } from './fixtures/damage.ts';
import { assertLayouts, nodeMembers, structures } from './fixtures/layouts.ts';
import { build, nameOf, run, scratch, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

/** BTF has no complex numbers. */
const flags = ['-DWITHOUT_COMPLEX'];
const variants: readonly Variant[] = [
  { compiler: 'gcc', optimisation: 0, dwarf: 5, kernel: true, flags },
  { compiler: 'gcc', optimisation: 0, dwarf: 4, narrow: true, flags },
];

/** The program with its DWARF made into BTF by pahole, as Linux's build does it. */
function withBtf(variant: Variant): string {
  const path = scratch(`btf-${nameOf(variant).replaceAll(/\W/g, '_')}`);
  copyFileSync(build(variant), path);
  run('pahole', ['--btf_encode', '--btf_gen_floats', path]);
  run('objcopy', ['--strip-debug', path]);
  return path;
}

describe('types out of BTF: structures as gdb has them from the DWARF', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const symbols = await openSymbols(withBtf(variant));
      assertLayouts(symbols, build(variant));
      symbols.close();
    });
  }
});

test('what C programs are made of', async () => {
  const symbols = await openSymbols(withBtf(variants[0]!));
  const member = nodeMembers(symbols);
  const hidden = member('hidden');
  assert.ok(hidden.kind === 'pointer' && hidden.target.kind === 'struct' && hidden.target.declaration);
  const compare = member('compare');
  assert.ok(compare.kind === 'pointer' && compare.target.kind === 'function');
  assert.deepEqual([compare.target.parameters.length, compare.target.variadic], [2, true]);
  // Its writers make one dimension of several.
  const grid = member('grid');
  assert.ok(grid.kind === 'array' && grid.count === 12 && grid.element.kind === 'base');
  const tail = member('tail');
  assert.ok(tail.kind === 'array' && !('count' in tail));
  const signed = symbols.enumerator('BEFORE');
  assert.ok(signed?.value === -2n && signed.type.kind === 'enum' && signed.type.signed);
  assert.equal(symbols.enumerator('BLUE')?.value, 8n);
  assert.equal(symbols.typeNamed('u64')?.kind, 'typedef');
  for (const [name, kind] of [
    ['nothing_of_that_name', 'struct'],
    ['node', 'union'],
    ['u64', 'enum'],
  ] as const)
    assert.equal(symbols.typeNamed(name, kind), undefined);
  const [walk] = symbols.globals('walk');
  assert.ok(walk?.type.kind === 'function');
  const place = await symbols.locate(walk, { pc: 0n, registers: new Map(), read: async () => new Uint8Array() });
  assert.deepEqual(place, { kind: 'memory', address: symbols.symbolsNamed('walk')[0]?.address });
  assert.deepEqual(symbols.placeAt(walk, 0n), { kind: 'memory', offset: symbols.symbolsNamed('walk')[0]?.address });
  symbols.close();
});

/** Follows types as far as views do. */
function touch(type: Type, depth: number): number {
  if (depth > 6) return 0;
  if (type.kind === 'struct' || type.kind === 'union')
    return type.members.reduce((sum, member) => sum + touch(member.type, depth + 1), 1);
  if (type.kind === 'array') return touch(type.element, depth + 1);
  if (type.kind === 'function')
    return type.parameters.reduce((sum, each) => sum + touch(each, depth + 1), touch(type.returns, depth + 1));
  return 'target' in type ? touch(type.target, depth + 1) : 1;
}

function touchAll(symbols: OpenSymbols): void {
  for (const name of [...structures, 'list', 'u64', 'colour', 'walk', 'int'])
    for (const kind of ['struct', 'union', 'enum', undefined] as const) {
      const type = symbols.typeNamed(name, kind);
      if (type) touch(type, 0);
      for (const { type: declared } of symbols.globals(name)) touch(declared, 0);
    }
  symbols.enumerator('BLUE');
}

test('damaged BTF ends in an error or an answer', async () => {
  const program = withBtf(variants[0]!);
  const whole = readFileSync(program);
  const elf = ElfFile.open(program);
  const sections = elf.sections.filter(({ name }) => name === '.BTF');
  elf.close();
  assert.equal(sections.length, 1);
  const path = scratch('damaged-btf');
  for (let seed = 1; seed <= 300; seed++) {
    writeFileSync(path, damaged(whole, sections, seed));
    try {
      const symbols = await openSymbols(path);
      touchAll(symbols);
      symbols.close();
    } catch (error) {
      if (!(error instanceof SymbolFileError)) throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
