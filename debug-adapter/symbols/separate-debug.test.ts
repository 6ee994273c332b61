import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { SymbolFileError } from './api.ts';
import { ElfFile } from './elf.ts';
import { damaged } from './fixtures/damage.ts';
import { build, gdb, run, scratch } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';

const whole = build({ compiler: 'gcc', optimisation: 1, dwarf: 5, kernel: true, flags: ['-Wl,--build-id'] });
const id = /Build ID: (\w+)/.exec(run('readelf', ['-n', whole]))?.[1] ?? '';

interface Case {
  readonly folder: string;
  readonly program: string;
  /** What stands for /usr/lib/debug. */
  readonly system: string;
}

/** A stripped copy in a folder of its own, with its DWARF where `place` says; with a link and no build id, or the reverse. */
function split(name: string, place: (where: Case) => string, linked: boolean): Case {
  const folder = scratch(name);
  const where = { folder, program: join(folder, 'kernel'), system: join(folder, 'system') };
  const debug = place(where);
  mkdirSync(dirname(debug), { recursive: true });
  run('objcopy', ['--only-keep-debug', whole, debug]);
  const bare = linked ? ['--remove-section=.note.gnu.build-id', `--add-gnu-debuglink=${debug}`] : [];
  run('objcopy', ['--strip-all', ...bare, whole, where.program]);
  return where;
}

/** `file:line` of the entry of `run`, and of the code in the middle of it. */
async function linesOf({ program, system }: Case): Promise<{ ours: string[]; theirs: string[] }> {
  const reference = await openSymbols(whole);
  const [found] = reference.symbolsNamed('run');
  assert.ok(found);
  const addresses = [found.address, found.address + found.size / 2n];
  reference.close();
  const symbols = await openSymbols(program, { debugFolder: system });
  const ours = addresses.map((address) => {
    const line = symbols.lineAt(address);
    return line ? `${basename(line.file)}:${line.line}` : 'none';
  });
  assert.deepEqual(symbols.problems, []);
  symbols.close();
  const text = gdb(program, [
    `set debug-file-directory ${system}`,
    `file ${program}`,
    ...addresses.map((address) => `info line *0x${address.toString(16)}`),
  ]);
  const answers = text.matchAll(/^(?:Line (\d+) of "([^"]+)"|No line number).*$/gm);
  const theirs = [...answers].map(([, line, file]) => (file ? `${basename(file)}:${line}` : 'none'));
  return { ours, theirs };
}

const places: readonly [string, (where: Case) => string, boolean][] = [
  ['by-build-id', ({ system }) => join(system, '.build-id', id.slice(0, 2), `${id.slice(2)}.debug`), false],
  ['beside', ({ folder }) => join(folder, 'kernel.debug'), true],
  ['in-.debug', ({ folder }) => join(folder, '.debug', 'kernel.debug'), true],
  ['in-the-system-folder', ({ system, folder }) => join(system, folder, 'kernel.debug'), true],
];

describe('the DWARF of a stripped image is found where gdb finds it', () => {
  for (const [name, place, linked] of places) {
    test(name, async () => {
      const { ours, theirs } = await linesOf(split(name, place, linked));
      assert.deepEqual(ours, theirs);
      assert.ok(ours.every((line) => line.startsWith('program.c:')));
    });
  }
});

test('all that the whole image says is said of the two files', async () => {
  const { program } = split('two-files', ({ folder }) => join(folder, 'kernel.debug'), true);
  const [one, two] = [await openSymbols(whole), await openSymbols(program)];
  assert.deepEqual(
    two.sections,
    one.sections.filter(({ name }) => name !== '.note.gnu.build-id'),
  );
  assert.deepEqual(two.sources(), one.sources());
  assert.deepEqual(two.symbolsNamed('run'), one.symbolsNamed('run'));
  assert.deepEqual(await two.placesForFunction('middle'), await one.placesForFunction('middle'));
  assert.equal(two.path, program);
  const [{ address } = assert.fail()] = two.symbolsNamed('leaf');
  const frame = {
    pc: address,
    registers: new Map([['rsp', 0x1000n]]),
    read: async (_at: bigint, length: number) => new Uint8Array(length).fill(0x11),
  };
  assert.deepEqual(await two.unwind(frame), await one.unwind(frame));
  assert.ok(await two.unwind(frame));
  for (const symbols of [one, two]) {
    assert.deepEqual(symbols.triedDebugFiles, []);
    symbols.close();
  }
});

describe('a file that does not fit is left alone, and told of', () => {
  test('one that was changed since', async () => {
    const where = split('changed', ({ folder }) => join(folder, 'kernel.debug'), true);
    appendFileSync(join(where.folder, 'kernel.debug'), '\n');
    const { ours, theirs } = await linesOf(where);
    assert.deepEqual(
      [ours, theirs],
      [
        ['none', 'none'],
        ['none', 'none'],
      ],
    );
    const symbols = await openSymbols(where.program, { debugFolder: where.system });
    assert.deepEqual(symbols.triedDebugFiles, [
      `${where.folder}/kernel.debug (of another build)`,
      `${where.folder}/.debug/kernel.debug`,
      `${where.system}${where.folder}/kernel.debug`,
    ]);
    symbols.close();
  });

  test('another build, no DWARF, and no ELF file', async () => {
    const where = split('foreign', places[0]![1], false);
    const path = places[0]![1](where);
    const other = build({ compiler: 'gcc', optimisation: 2, dwarf: 5, kernel: true, flags: ['-Wl,--build-id'] });
    for (const [file, problem] of [
      [other, 'of another build'],
      [where.program, 'without DWARF'],
      [join(__dirname, '../../package.json'), `${path} is not an ELF file: it does not begin with 7f 45 4c 46`],
    ] as const) {
      copyFileSync(file, path);
      const symbols = await openSymbols(where.program, { debugFolder: where.system });
      assert.deepEqual(symbols.triedDebugFiles, [`${path} (${problem})`]);
      assert.equal(symbols.sources().length, 0);
      symbols.close();
    }
  });
});

test('damaged links lead nowhere or to the file', async () => {
  const { program, folder } = split('damaged', (where) => join(where.folder, 'kernel.debug'), true);
  const bytes = readFileSync(program);
  const elf = ElfFile.open(program);
  const link = elf.sections.filter(({ name }) => name === '.gnu_debuglink');
  elf.close();
  for (let seed = 1; seed <= 100; seed++) {
    writeFileSync(join(folder, 'other'), damaged(bytes, link, seed));
    await openSymbols(join(folder, 'other')).then(
      (symbols) => symbols.close(),
      (error) => assert.ok(error instanceof SymbolFileError, String(error)),
    );
  }
});
