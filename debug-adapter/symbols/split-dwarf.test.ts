import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import type { OpenSymbols } from './api.ts';
import { ElfFile } from './elf.ts';
import { damaged } from './fixtures/damage.ts';
import { build, compilers, dwoFiles, nameOf, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

const split = ['-gsplit-dwarf'];
const packed = ['-gsplit-dwarf', '-fdebug-types-section'];

/** gcc 12 gets some lengths in split location lists of DWARF 4 wrong: those are held to gdb's reading, in stacks.test.ts. */
const exact = ({ compiler, dwarf }: Pick<Variant, 'compiler' | 'dwarf'>) =>
  compiler === 'gcc' && dwarf === 4 ? ['-fno-var-tracking'] : [];

const variants: readonly Variant[] = compilers.flatMap((compiler) => [
  ...([4, 5] as const).flatMap((dwarf): Variant[] => [
    { compiler, optimisation: 2, dwarf, kernel: true, flags: [...split, ...exact({ compiler, dwarf })] },
    { compiler, optimisation: 0, dwarf, flags: [...packed, '-gz=zlib', '-g3'] },
    {
      ...{ compiler, optimisation: 2, dwarf, kernel: true, packer: 'llvm-dwp' },
      flags: [...packed, ...exact({ compiler, dwarf })],
    },
  ]),
  { compiler, optimisation: 2, dwarf: 4, flags: [...packed, ...exact({ compiler, dwarf: 4 })], packer: 'dwp' },
]);

/** The same program with all its DWARF in it. */
const together = ({ packer: _, ...variant }: Variant): Variant => ({
  ...variant,
  flags: (variant.flags ?? []).filter((flag) => flag !== '-gsplit-dwarf'),
});

/** All that is said of code, by distances from the first function, as the linked programs differ. */
async function told(symbols: OpenSymbols): Promise<unknown> {
  const functions = ['run', 'recursive', 'middle', 'leaf', 'second_entry'].flatMap((name) =>
    symbols.symbolsNamed(name),
  );
  const told = functions.map(async ({ name, address, size }) => ({
    name,
    places: (await symbols.placesForFunction(name)).map((place) => ({ ...place, address: place.address - address })),
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
  return Promise.all(told);
}

describe('split DWARF says what it says in one piece', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const program = build(variant);
      const files = dwoFiles(program);
      assert.equal(files.length, 2);
      for (const file of files) assert.equal(existsSync(file), !variant.packer);
      const [split, whole] = [await openSymbols(program), await openSymbols(build(together(variant)))];
      const said = await told(split);
      assert.deepEqual(split.problems, []);
      assert.deepEqual(said, await told(whole));
      assert.deepEqual([...split.sources()].sort(), [...whole.sources()].sort());
      for (const each of [split, whole]) each.close();
    });
  }
});

describe('beside the image, where the compiler put it is gone', () => {
  for (const dwarf of [4, 5] as const) {
    test(`DWARF ${dwarf}`, async () => {
      const program = build({ compiler: 'gcc', optimisation: 1, dwarf, flags: ['-gsplit-dwarf', '-DMOVED'] });
      const files = dwoFiles(program);
      const moved = files.map((file) => join(dirname(program), basename(file)));
      for (const [index, file] of files.entries()) renameSync(file, moved[index] ?? '');
      const symbols = await openSymbols(program);
      assert.ok(symbols.variablesAt(symbols.symbolsNamed('run')[0]?.address ?? 0n, 0).length > 0);
      assert.deepEqual(symbols.problems, []);
      symbols.close();
      for (const path of moved) rmSync(path);
    });
  }
});

/** A program with a package of its own that the tests may spoil. */
const withPackage = (name: string, dwarf: 4 | 5 = 5, optimisation: 0 | 1 = 1): string =>
  build({ compiler: 'gcc', optimisation, dwarf, flags: [...packed, `-DNAMED="${name}"`], packer: 'llvm-dwp' });

test('a package beside what a link leads to', async () => {
  const program = withPackage('linked');
  const link = join(mkdtempSync(`${program}-links-`), 'program');
  symlinkSync(program, link);
  const symbols = await openSymbols(link);
  assert.ok(symbols.variablesAt(symbols.symbolsNamed('run')[0]?.address ?? 0n, 0).length > 0);
  symbols.close();
});

describe('files that are missing or do not fit are told of, and lines are known without', () => {
  for (const [name, spoil, problem, dwarf] of [
    ['missing', (path: string) => rmSync(path), /cannot be read: ENOENT/],
    ['no ELF file', (path: string) => writeFileSync(path, 'text\n'), /is not an ELF file/],
    ['no ELF file, DWARF 4', (path: string) => writeFileSync(path, 'text\n'), /is not an ELF file/, 4],
    ['of another build', (path: string, other: string) => copyFileSync(other, path), /is of another build/],
    ['of another build, DWARF 4', (path: string, other: string) => copyFileSync(other, path), /is of another build/, 4],
  ] as const) {
    test(name, async () => {
      const flags = ['-gsplit-dwarf', `-DNAMED="${name}"`];
      const program = build({ compiler: 'gcc', optimisation: 1, dwarf: dwarf ?? 5, flags });
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

test('a package of another build', async () => {
  const program = withPackage('packed');
  copyFileSync(`${withPackage('packed', 5, 0)}.dwp`, `${program}.dwp`);
  const symbols = await openSymbols(program);
  assert.match(symbols.problems[0] ?? '', /\.dwp is of another build/);
  assert.equal(symbols.problems.length, 3, 'nor are the files there that it was made of');
  symbols.close();
});

describe('damaged files of split DWARF end in an error or an answer', () => {
  const whole = (dwarf: 4 | 5) =>
    build({ compiler: 'gcc', optimisation: 1, dwarf, flags: ['-gsplit-dwarf', '-DDAMAGED'] });
  for (const dwarf of [4, 5] as const) {
    test(`a file, DWARF ${dwarf}`, () => survives(whole(dwarf), dwoFiles(whole(dwarf))[0] ?? ''));
    test(`a package, DWARF ${dwarf}`, () =>
      survives(withPackage('damaged', dwarf), `${withPackage('damaged', dwarf)}.dwp`));
  }
});

async function survives(program: string, path: string): Promise<void> {
  const whole = readFileSync(path);
  const elf = ElfFile.open(path);
  const parts = elf.sections.filter(({ name }) => /\.dwo$|_index$/.test(name));
  elf.close();
  for (let seed = 1; seed <= 60; seed++) {
    writeFileSync(path, damaged(whole, parts, seed));
    const symbols = await openSymbols(program);
    await told(symbols);
    symbols.typeNamed('node', 'struct');
    symbols.close();
  }
}
