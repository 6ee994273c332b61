import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { OpenSymbols } from './api.ts';
import { ElfFile } from './elf.ts';
import { damaged } from './fixtures/damage.ts';
import { build, compilers, nameOf, run, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

const variants: readonly Variant[] = compilers.flatMap((compiler) => [
  { compiler, optimisation: 2, dwarf: 5, kernel: true, flags: ['-gsplit-dwarf'] },
  { compiler, optimisation: 0, dwarf: 5, flags: ['-gsplit-dwarf', '-fdebug-types-section', '-gz=zlib', '-g3'] },
]);

/** The same program with all its DWARF in it. */
const together = (variant: Variant): Variant => ({
  ...variant,
  flags: (variant.flags ?? []).filter((flag) => flag !== '-gsplit-dwarf'),
});

/** The files that the units of a program are in, as readelf lists them. */
function dwoFiles(program: string): string[] {
  const text = run('readelf', ['--debug-dump=info,no-follow-links', program]);
  return [...text.matchAll(/DW_AT_dwo_name .*: (\S+\.dwo)$/gm)].map(([, file]) => file ?? '');
}

/** All that is said of code, by distances from the first function, as the linked programs differ. */
function told(symbols: OpenSymbols): unknown {
  const functions = ['run', 'recursive', 'middle', 'leaf', 'second_entry'].flatMap((name) =>
    symbols.symbolsNamed(name),
  );
  return functions.map(({ name, address, size }) => ({
    name,
    places: symbols.placesForFunction(name).map((place) => ({ ...place, address: place.address - address })),
    levels: Array.from({ length: Number(size) }, (_, at) =>
      symbols.inlineLevels(address + BigInt(at)).map((level, depth) => ({
        name: level.function.name,
        line: level.line,
        variables: symbols.variablesAt(address + BigInt(at), depth).map((each) => {
          const place = symbols.placeAt(each, address + BigInt(at));
          return { name: each.name, kind: each.kind, place: each.kind === 'static' ? undefined : place };
        }),
      })),
    ),
  }));
}

describe('split DWARF says what it says in one piece', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const program = build(variant);
      assert.equal(dwoFiles(program).length, 2);
      const [split, whole] = [await openSymbols(program), await openSymbols(build(together(variant)))];
      const said = told(split);
      assert.deepEqual(split.problems, []);
      assert.deepEqual(said, told(whole));
      assert.deepEqual([...split.sources()].sort(), [...whole.sources()].sort());
      for (const each of [split, whole]) each.close();
    });
  }
});

test('beside the image, where the compiler put it is gone', async () => {
  const program = build({ compiler: 'gcc', optimisation: 1, dwarf: 5, flags: ['-gsplit-dwarf', '-DMOVED'] });
  const files = dwoFiles(program);
  const moved = files.map((file) => join(dirname(program), basename(file)));
  for (const [index, file] of files.entries()) renameSync(file, moved[index] ?? '');
  const symbols = await openSymbols(program);
  assert.ok(symbols.variablesAt(symbols.symbolsNamed('run')[0]?.address ?? 0n, 0).length > 0);
  assert.deepEqual(symbols.problems, []);
  symbols.close();
  for (const path of moved) rmSync(path);
});

describe('files that are missing or do not fit are told of, and lines are known without', () => {
  for (const [name, spoil, problem] of [
    ['missing', (path: string) => rmSync(path), /cannot be read: ENOENT/],
    ['no ELF file', (path: string) => writeFileSync(path, 'text\n'), /is not an ELF file/],
    ['of another build', (path: string, other: string) => copyFileSync(other, path), /is of another build/],
  ] as const) {
    test(name, async () => {
      const flags = ['-gsplit-dwarf', `-DNAMED="${name}"`];
      const program = build({ compiler: 'gcc', optimisation: 1, dwarf: 5, flags });
      const [first = '', second = ''] = dwoFiles(program);
      spoil(first, second);
      const symbols = await openSymbols(program);
      const [{ address } = assert.fail()] = symbols.symbolsNamed('run');
      assert.equal(basename(symbols.lineAt(address)?.file ?? ''), 'program.c');
      assert.deepEqual(symbols.inlineLevels(address), []);
      const [{ address: whole } = assert.fail()] = symbols.symbolsNamed('second_entry');
      assert.equal(symbols.functionAt(whole)?.name, 'second_entry');
      assert.equal(symbols.problems.length, 1);
      assert.match(symbols.problems[0] ?? '', problem);
      symbols.close();
    });
  }
});

test('damaged files of split DWARF end in an error or an answer', async () => {
  const program = build({ compiler: 'gcc', optimisation: 1, dwarf: 5, flags: ['-gsplit-dwarf', '-DDAMAGED'] });
  const [path = ''] = dwoFiles(program);
  const whole = readFileSync(path);
  const elf = ElfFile.open(path);
  const parts = elf.sections.filter(({ name }) => name.endsWith('.dwo'));
  elf.close();
  for (let seed = 1; seed <= 100; seed++) {
    writeFileSync(path, damaged(whole, parts, seed));
    const symbols = await openSymbols(program);
    told(symbols);
    symbols.typeNamed('node', 'struct');
    symbols.close();
  }
});
