import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ElfFile } from './elf.ts';
import { damaged } from './fixtures/damage.ts';
import { build, compilers, dwoFiles, gdb, nameOf, run, scratch, type Variant } from './fixtures/toolchain.ts';
import { type OpenSymbols, openSymbols } from './symbols.ts';

const OTHER = scratch('other.h');
const HEADER = scratch('macros.h');
writeFileSync(OTHER, '#define FROM_OTHER(a, ...) ((a) + 1)\n#define CHANGED 1\n#define GONE 1\n#define SHORT\n');
writeFileSync(
  HEADER,
  `#include "other.h"\n#define FROM_HEADER 4096UL\n#undef CHANGED\n#define CHANGED 2\n#undef GONE\n`,
);

const TWICE = scratch('twice.h');
writeFileSync(TWICE, '#include "macros.h"\n#undef CHANGED\n#include "other.h"\n#define FROM_TWICE 3\n');

const made = (compiler: Variant['compiler'], header: string, more: Partial<Variant> = {}): Variant => ({
  ...{ compiler, optimisation: 0, dwarf: 5, ...more },
  flags: [compiler === 'gcc' ? '-g3' : '-fdebug-macro', '-include', header, ...(more.flags ?? [])],
});

/** As they are written in a source; none where there is none. */
function written(symbols: OpenSymbols, name: string): string | undefined {
  const [{ address } = assert.fail()] = symbols.symbolsNamed('run');
  const macro = symbols.macro(name, address);
  if (!macro) return undefined;
  const parameters = macro.parameters ? `(${macro.parameters.join(', ')})` : '';
  return `#define ${name}${parameters} ${macro.body}`.trim();
}

/** As the debugger says that they hold at the end of the source, where there is no split. */
function gdbWritten(program: string, names: readonly string[]): (string | undefined)[] {
  const separator = '@@next';
  const text = gdb(program, [
    'list second_entry',
    'list run',
    ...names.flatMap((name) => [`info macro ${name}`, `echo ${separator}\\n`]),
  ]);
  return text
    .split(separator)
    .slice(0, names.length)
    .map((part) => /^#define .*$/m.exec(part)?.[0].trim());
}

const NAMES = ['FROM_OTHER', 'FROM_HEADER', 'CHANGED', 'GONE', 'SHORT', 'NOWHERE'];

describe('macros of split DWARF are those of DWARF in one piece, as gdb has them', () => {
  for (const compiler of compilers) {
    for (const packer of compiler === 'clang' ? ([undefined, 'llvm-dwp'] as const) : [undefined]) {
      const variant = made(compiler, HEADER);
      const split = made(compiler, HEADER, { flags: ['-gsplit-dwarf'], ...(packer ? { packer } : {}) });
      test(nameOf(split).replace(HEADER, 'macros.h'), async () => {
        const whole = build(variant);
        const [ours, one] = [await openSymbols(build(split)), await openSymbols(whole)];
        const said = NAMES.map((name) => written(ours, name));
        assert.deepEqual(said, gdbWritten(whole, NAMES));
        assert.equal(said.filter((each) => each !== undefined).length, NAMES.length - 2);
        // The compiler's own, which gdb does not show of all: as the compiler lists them, but for what follows from flags.
        const own = run(compiler, ['-dM', '-E', '-ffreestanding', '-fno-pie', '-x', 'c', '/dev/null'])
          .trim()
          .split('\n');
        const names = own.map((line) => /^#define (\w+)/.exec(line)?.[1] ?? '');
        assert.deepEqual(
          names.map((name) => written(ours, name)),
          names.map((name) => written(one, name)),
        );
        const same = own.filter((line, index) => written(ours, names[index] ?? '') === line.trim());
        assert.ok(same.length > own.length - 5, `${same.length} of ${own.length} macros`);
        assert.deepEqual(ours.problems, []);
        for (const each of [ours, one]) each.close();
      });
    }
  }
});

describe('what gcc leaves to a linker is not guessed', () => {
  for (const [what, header, more] of [
    ['macros that are imported twice', TWICE, {}],
    ['names in DWARF 4', HEADER, { dwarf: 4 }],
    ['what a package has of several sections', HEADER, { packer: 'llvm-dwp' }],
  ] as const) {
    test(what, async () => {
      const symbols = await openSymbols(build(made('gcc', header, { ...more, flags: ['-gsplit-dwarf'] })));
      for (const name of ['FROM_TWICE', ...NAMES]) assert.equal(written(symbols, name), undefined);
      assert.deepEqual(symbols.problems, []);
      symbols.close();
    });
  }
});

test('damaged macros end in an error or an answer', async () => {
  const program = build(made('gcc', HEADER, { flags: ['-gsplit-dwarf', '-DDAMAGED_MACROS'] }));
  const [path = ''] = dwoFiles(program);
  const whole = readFileSync(path);
  const elf = ElfFile.open(path);
  const parts = elf.sections.filter(({ name }) => name.startsWith('.debug_macro'));
  elf.close();
  assert.ok(parts.length > 1);
  for (let seed = 1; seed <= 200; seed++) {
    writeFileSync(path, damaged(whole, parts, seed));
    const symbols = await openSymbols(program);
    for (const name of NAMES) written(symbols, name);
    symbols.close();
  }
});
