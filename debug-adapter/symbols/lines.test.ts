import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { openDebugInfo } from './debug-info.ts';
import {
  breakpointAddresses,
  build,
  compilers,
  everyVariant,
  gdb,
  nameOf,
  run,
  type Variant,
} from './fixtures/toolchain.ts';
import { readLineHeader } from './line-header.ts';
import { readLineTable } from './line-table.ts';
import { openSymbols } from './symbols.ts';

const narrow = ([0, 2] as const).map((optimisation) => ({
  compiler: 'gcc' as const,
  optimisation,
  dwarf: 5 as const,
  narrow: true,
}));
const split: readonly Variant[] = compilers.flatMap((compiler) =>
  ([4, 5] as const).flatMap((dwarf): Variant[] => {
    const variant: Variant = { compiler, optimisation: 2, dwarf, kernel: true, flags: ['-gsplit-dwarf'] };
    // With a package of DWARF 5, gdb 13 ends in a fault of its own.
    return dwarf === 5 ? [variant] : [variant, { ...variant, packer: 'dwp' }, { ...variant, packer: 'llvm-dwp' }];
  }),
);

/** The fixtures in every variant, and the kernel that ships. */
const programs: readonly { name: string; path: () => string }[] = [
  ...[...everyVariant, ...narrow, ...split].map((variant) => ({ name: nameOf(variant), path: () => build(variant) })),
  { name: 'the sample guest', path: () => join(__dirname, '../../media/sample/ringside-sample.elf') },
];

/** Addresses of all rows, as binutils reads the line programs. */
function rowAddresses(program: string): bigint[] {
  const text = run('readelf', ['--debug-dump=decodedline', '--wide', program]);
  return [...new Set([...text.matchAll(/^\S+\s+\d+\s+(0x[0-9a-f]+)/gm)].map((match) => BigInt(match[1] as string)))];
}

describe('lines as gdb and readelf have them', () => {
  for (const { name, path } of programs) {
    test(name, async () => {
      const program = path();
      const symbols = await openSymbols(program);
      const addresses = rowAddresses(program).filter((address) => address > 0x10_0000n);
      assert.ok(addresses.length > 50);
      const text = gdb(
        program,
        addresses.map((address) => `info line *${address}`),
      );
      const answers = [...text.matchAll(/^(?:Line (\d+) of "([^"]+)"|Address \S+.* is at address|No line number)/gm)];
      assert.equal(answers.length, addresses.length);
      const ours: string[] = [];
      const theirs: string[] = [];
      answers.forEach((answer, index) => {
        const address = addresses[index] as bigint;
        const line = symbols.lineAt(address);
        const at = `0x${address.toString(16)} `;
        ours.push(at + (line ? `${line.file.split('/').at(-1)}:${line.line}` : 'none'));
        theirs.push(at + (answer[1] ? `${answer[2]?.split('/').at(-1)}:${answer[1]}` : 'none'));
        if (line) assert.ok(line.low <= address && address < line.high, at);
      });
      assert.deepEqual(ours, theirs);
      symbols.close();
    });
  }
});

/**
 * Where rows of several files share an address gdb 13 forgets all but the last file's, and so moves a breakpoint that
 * belongs there to a later line.
 */
function fileChanges(program: string): bigint[] {
  const files = new Map<string, Set<string>>();
  const text = run('readelf', ['--debug-dump=decodedline', '--wide', program]);
  for (const [, file, address] of text.matchAll(/^(\S+)\s+\d+\s+(0x[0-9a-f]+)/gm))
    files.set(address as string, (files.get(address as string) ?? new Set()).add(file as string));
  return [...files].filter(([, names]) => names.size > 1).map(([address]) => BigInt(address));
}

/** Where inlined copies are entered: gdb 13 takes their lowest range instead. */
function entryAddresses(program: string): bigint[] {
  const text = run('readelf', ['--debug-dump=info', '--wide', program]);
  return [...text.matchAll(/DW_AT_entry_pc\s*:\s*(?:\(\w+\) )?(0x[0-9a-f]+)/g)].map((match) =>
    BigInt(match[1] as string),
  );
}

const sorted = (list: Iterable<bigint>) =>
  [...new Set(list)].sort((a, b) => (a < b ? -1 : 1)).map((at) => at.toString(16));

describe('places for breakpoints as gdb has them', () => {
  for (const { name, path } of programs) {
    test(name, async () => {
      const program = path();
      const symbols = await openSymbols(program);
      const asked: { what: string; places: readonly { address: bigint }[] }[] = [];
      for (const source of symbols.sources()) {
        for (const line of await symbols.linesWithCode(source, 1, 1000))
          asked.push({ what: `${basename(source)}:${line}`, places: await symbols.placesFor(source, line) });
      }
      for (const [, name] of run('nm', [program]).matchAll(/ [tT] (\w+)$/gm))
        if (symbols.functionAt(symbols.symbolsNamed(name as string)[0]!.address)?.name === name)
          asked.push({ what: name as string, places: await symbols.placesForFunction(name as string) });
      for (const what of ['walk', 'clamp', 'twice'])
        asked.push({ what, places: await symbols.placesForFunction(what) });
      assert.ok(asked.length > 40);
      const theirs = breakpointAddresses(
        program,
        asked.map(({ what }) => what),
      );
      assert.equal(theirs.length, asked.length);
      const excused = new Set(
        [...fileChanges(program), ...entryAddresses(program)].map((address) => address.toString(16)),
      );
      const differences = asked.flatMap(({ what, places }, index) => {
        const mine = sorted(places.map(({ address }) => address));
        const other = sorted(theirs[index] ?? []);
        return mine.join() === other.join() || mine.some((address) => excused.has(address))
          ? []
          : [`${what}: ${mine} instead of ${other}`];
      });
      assert.deepEqual(differences, []);
      symbols.close();
    });
  }
});

test('a line table that was let go of is read again', () => {
  const info = openDebugInfo(build({ compiler: 'gcc', optimisation: 1, dwarf: 5 }));
  const header = readLineHeader(info.units[0] ?? assert.fail()) ?? assert.fail();
  const [first, second] = [0, 1].map(() => readLineTable(header, info.addresses, () => true));
  assert.ok(first && first.sequences.length > 0);
  assert.deepEqual(second, first);
  info.close();
});
