import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import { createExpressions } from '../expressions/expressions.ts';
import type { Type } from './api.ts';
import { openDebugInfo } from './debug-info.ts';
import { ElfFile } from './elf.ts';
import { damaged } from './fixtures/damage.ts';
import { build, compilers, nameOf, run, scratch, type Variant } from './fixtures/toolchain.ts';
import { LinkedNames } from './index/linked-names.ts';
import type { NameKind } from './index/name-kinds.ts';
import { type OpenSymbols, openSymbols } from './symbols.ts';

/** A program with a table of names. */
interface Made extends Variant {
  readonly section: '.gdb_index' | '.debug_names';
  /** By gdb-add-index. */
  readonly byGdb?: boolean;
  /** The table lacks units or numbers them wrongly, so that some of what it should tell is not found. */
  readonly isPartial?: boolean;
}

const pubnames = ['-ggnu-pubnames', '-Wl,--gdb-index'];
const gdbIndexes: readonly Made[] = [
  { compiler: 'gcc', optimisation: 1, dwarf: 5, section: '.gdb_index', byGdb: true, flags: ['-DBY_GDB'] },
  { compiler: 'gcc', optimisation: 1, dwarf: 5, section: '.gdb_index', flags: [...pubnames, '-fuse-ld=gold'] },
  { compiler: 'gcc', optimisation: 2, dwarf: 4, section: '.gdb_index', flags: [...pubnames, '-fuse-ld=lld'] },
  ...compilers
    .filter((each) => each === 'clang')
    .map((compiler): Made => {
      return { compiler, optimisation: 2, dwarf: 5, section: '.gdb_index', flags: [...pubnames, '-fuse-ld=lld'] };
    }),
];
/** Binutils' linker puts the tables of the object files one behind the other; of link-time optimisation there is one. */
const debugNames: readonly Made[] = compilers
  .filter((each) => each === 'clang')
  .flatMap((compiler) =>
    ([[0], [2], [1, '-flto', '-fuse-ld=lld']] as const).map(([optimisation, ...more]): Made => {
      return { compiler, optimisation, dwarf: 5, section: '.debug_names', flags: ['-gpubnames', ...more] };
    }),
  );
const all = [...gdbIndexes, ...debugNames];

/** gdb 13 counts type units wrongly; clang 14 has no tables where there are some, and gold no units of split DWARF. */
const partial: readonly Made[] = [
  ...([4, 5] as const).map((dwarf): Made => {
    const flags = ['-fdebug-types-section', '-DBY_GDB'];
    return { compiler: 'gcc', optimisation: 0, dwarf, section: '.gdb_index', byGdb: true, isPartial: true, flags };
  }),
  ...[gdbIndexes[1], gdbIndexes[3], debugNames[1]].flatMap((made): Made[] =>
    made ? [{ ...made, isPartial: true, flags: [...(made.flags ?? []), '-gsplit-dwarf'] }] : [],
  ),
];

const titleOf = (made: Made) => `${made.section}: ${nameOf(made)}`;

function program(made: Made): string {
  const path = build(made);
  if (made.byGdb && !run('readelf', ['-SW', path]).includes('.gdb_index')) run('gdb-add-index', [path]);
  return path;
}

/** Offsets of units by kind and name. */
type Listed = Map<string, Set<number>>;

function list(into: Listed, kind: NameKind, name: string, unit: number): void {
  const key = `${kind} ${name}`;
  into.set(key, (into.get(key) ?? new Set()).add(unit));
}

const kindsOfIndex: Readonly<Record<string, readonly NameKind[]>> = {
  type: ['type'],
  variable: ['variable', 'enumerator'],
  function: ['function'],
  'no info': ['type', 'variable', 'enumerator', 'function'],
};

function byReadelf(path: string): { listed: Listed; units: number[] } {
  const text = run('readelf', ['--debug-dump=gdb_index', path]);
  const [head = '', symbols = ''] = text.split('Symbol table:');
  const units = [...head.matchAll(/^\[ *\d+\] (\w+) - 0x/gm)].map(([, offset]) => Number(offset));
  const listed: Listed = new Map();
  for (const [, name = '', entries = ''] of symbols.matchAll(/^\[ *\d+\] (.+?):((?:\s+\d+ \[.*\])+)$/gm))
    for (const [, unit, kind = ''] of entries.matchAll(/(\d+) \[\w+, ([\w ]+)\]/g))
      for (const each of kindsOfIndex[kind] ?? []) list(listed, each, name, units[Number(unit)] ?? -1);
  return { listed, units };
}

const kindOfTag: Readonly<Record<string, NameKind>> = {
  subprogram: 'function',
  inlined_subroutine: 'function',
  variable: 'variable',
  structure_type: 'type',
  union_type: 'type',
  enumeration_type: 'type',
  typedef: 'type',
  base_type: 'type',
};

function byDwarfdump(path: string): { listed: Listed; units: number[] } {
  const tables = run('llvm-dwarfdump', ['--debug-names', path]).split('Name Index @').slice(1);
  const listed: Listed = new Map();
  const units = tables.flatMap((table) => {
    const own = [...table.matchAll(/CU\[\d+\]: (\w+)/g)].map(([, offset]) => Number(offset));
    for (const name of table.split(/^ {4}Name \d+ \{/m).slice(1)) {
      const text = /String: 0x\w+ "(.*)"/.exec(name)?.[1] ?? '';
      for (const entry of name.split('Entry @').slice(1)) {
        const kind = kindOfTag[/Tag: DW_TAG_(\w+)/.exec(entry)?.[1] ?? ''];
        const unit = own[Number(/DW_IDX_compile_unit: (\w+)/.exec(entry)?.[1] ?? 0)];
        if (kind) list(listed, kind, text, unit ?? -1);
      }
    }
    return own;
  });
  return { listed, units };
}

describe('units of a name as readelf and llvm-dwarfdump list them', () => {
  for (const made of all) {
    test(titleOf(made), () => {
      const path = program(made);
      const { listed, units } = made.section === '.gdb_index' ? byReadelf(path) : byDwarfdump(path);
      assert.ok(listed.size > 30 && units.length >= 2, `${listed.size} names of ${units.length} units`);
      const info = openDebugInfo(path);
      const names = new LinkedNames(info);
      // A unit that no table is of may define anything.
      const others = info.units.map(({ header }) => header.offset).filter((offset) => !units.includes(offset));
      const offsets = (name: string, kind: NameKind) =>
        [...new Set(names.unitsNamed(name, kind).map(({ header }) => header.offset))].sort((a, b) => a - b);
      for (const [key, wanted] of listed) {
        const [kind, name] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
        const expected = [...new Set([...wanted, ...others])].sort((a, b) => a - b);
        assert.deepEqual(offsets(name, kind as NameKind), expected, key);
      }
      assert.deepEqual(offsets('nothing_of_that_name', 'function'), others);
      assert.deepEqual(info.problems, []);
      info.close();
    });
  }
});

/** So much that names are read by a thread. */
function filler(): string {
  const path = scratch('filler.h');
  const members = Array.from({ length: 40 }, (_, index) => `int member${index};`).join(' ');
  const structures = Array.from({ length: 4000 }, (_, index) => `struct filler${index} { ${members} };\n`);
  writeFileSync(path, `#ifndef __ASSEMBLER__\n${structures.join('')}#endif\n`);
  return path;
}

const large = (made: Made): Made => ({
  ...made,
  flags: [...(made.flags ?? []), '-include', filler(), '-fno-eliminate-unused-debug-types'],
});

const functions = ['run', 'recursive', 'middle', 'leaf', 'walk', 'clamp', 'twice', 'second_entry', 'nothing'];
const types = [
  ...(['node', 'packed', 'point', 'completed_elsewhere', 'filler3999'] as const).map(
    (name) => [name, 'struct'] as const,
  ),
  ...(['colour', 'offset_kind'] as const).map((name) => [name, 'enum'] as const),
  ...(['u8', 'u64', 'int', 'node', 'nothing'] as const).map((name) => [name, undefined] as const),
];
const variables = ['head', 'packed_value', 'kind', 'completed', 'counter', 'greeting', 'nothing'];
const enumerators = ['RED', 'BLUE', 'BEFORE', 'NOTHING'];

const placesOf = async (symbols: OpenSymbols, name: string) =>
  (await symbols.placesForFunction(name))
    .map(({ address, line }) => `${address.toString(16)} ${basename(line.file)}:${line.line}`)
    .sort();

const users = { run: 'program.c', second_entry: 'second.c' } as const;

/** What a variable's name means in a function. */
function meantIn(symbols: OpenSymbols, name: string, user: keyof typeof users, depth: number): readonly string[] {
  const [{ address } = assert.fail(user)] = symbols.symbolsNamed(user);
  const found = symbols.globals(name, address);
  const meant = found.find(({ declared }) => basename(declared?.file ?? '') === users[user]) ?? found[0];
  return meant ? [`${meant.kind} ${meant.declared?.file}:${meant.declared?.line} ${shape(meant.type, depth)}`] : [];
}

/** What is said of all names, as text; nothing for what is not known. */
async function answers(symbols: OpenSymbols, depth: number): Promise<Map<string, readonly string[]>> {
  const said = new Map<string, readonly string[]>();
  for (const [name, kind] of types) {
    const type = symbols.typeNamed(name, kind);
    said.set(`${kind ?? 'type'} ${name}`, type ? [shape(type, depth)] : []);
  }
  for (const name of variables)
    for (const user of ['run', 'second_entry'] as const)
      said.set(`variable ${name} in ${user}`, meantIn(symbols, name, user, depth));
  for (const name of enumerators) {
    const found = symbols.enumerator(name);
    said.set(`enumerator ${name}`, found ? [`${found.value} ${shape(found.type, depth)}`] : []);
  }
  const places = await Promise.all(functions.map((name) => placesOf(symbols, name)));
  for (const [index, name] of functions.entries()) said.set(`function ${name}`, places[index] ?? []);
  return said;
}

/** A type as text, to a depth. */
function shape(type: Type, depth: number): string {
  if (depth === 0) return '';
  const inner = (other: Type) => shape(other, depth - 1);
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'base':
      return `${type.encoding} ${type.name} ${type.size}`;
    case 'struct':
    case 'union':
    case 'class': {
      const members = type.members.map(
        (each) => `${each.name} ${each.offset} ${each.bits?.offset} ${inner(each.type)}`,
      );
      return `${type.kind} ${type.name} ${type.size} ${type.declaration} {${members.join('; ')}}`;
    }
    case 'enum':
      return `enum ${type.name} ${type.size} {${type.enumerators.map(({ name, value }) => `${name} ${value}`).join()}}`;
    case 'array':
      return `array ${type.count} ${inner(type.element)}`;
    case 'function':
      return `function ${inner(type.returns)} (${type.parameters.map(inner).join()})`;
    default:
      return `${type.kind} ${inner(type.target)}`;
  }
}

/** A condition for a breakpoint in one file, with a variable of the other and types, for the stub. */
function condition(symbols: OpenSymbols): Promise<Uint8Array> {
  const [{ address } = assert.fail()] = symbols.symbolsNamed('second_entry');
  const text = 'head.at.x == 2 && ((struct packed *)&head)->tag == (u8)sizeof(u64)';
  return createExpressions().compile(text, { symbols, pc: address, registers: [] });
}

/** Known before the whole image is read, by whatever table. */
const certain = [
  ...['struct node', 'struct packed', 'struct filler3999', 'enum colour', 'type u64', 'type int'],
  ...['function walk', 'function middle', 'variable counter in run', 'variable counter in second_entry'],
  ...['variable head in run', 'variable head in second_entry'],
];
/** What a table does not tell for sure: a static variable of another unit, a tag, which may be a word elsewhere, and nothing. */
const uncertain = ['variable greeting in second_entry', 'type node', 'variable nothing in run', 'enumerator NOTHING'];

describe('before all is read, what a table leads to is what our own index says', () => {
  for (const made of [...all, ...partial]) {
    test(titleOf(made), async () => {
      const symbols = await openSymbols(program(large(made)));
      // What a structure points to may be declared alone, until its definition is found.
      const depth = made.isPartial ? 2 : 4;
      const cold = await answers(symbols, depth);
      const early = made.isPartial ? undefined : await condition(symbols);
      await symbols.indexed;
      if (early) assert.deepEqual(early, await condition(symbols));
      const whole = await answers(symbols, depth);
      for (const [what, said] of whole) {
        const found = cold.get(what) ?? [];
        if (what.startsWith('function') && !made.isPartial) assert.deepEqual(found, said, what);
        else if (found.length > 0) assert.deepEqual(found, said, what);
      }
      for (const what of made.isPartial ? [] : certain)
        assert.ok((cold.get(what) ?? []).length > 0, `${what} was found`);
      for (const what of uncertain) assert.deepEqual(cold.get(what), [], what);
      assert.deepEqual(symbols.problems, []);
      symbols.close();
    });
  }

  test('and without one, the symbol table and the unit at hand', async () => {
    const symbols = await openSymbols(build(large({ ...(all[0] as Made), flags: ['-DWITHOUT_TABLE'] })));
    const cold = await answers(symbols, 2);
    const found = [...cold].flatMap(([what, said]) => (said.length > 0 ? [what] : []));
    assert.deepEqual(found, [
      ...['head', 'packed_value', 'kind'].map((name) => `variable ${name} in run`),
      'variable completed in second_entry',
      ...['run', 'second_entry'].map((user) => `variable counter in ${user}`),
      'variable greeting in run',
      ...['run', 'recursive', 'middle', 'leaf', 'second_entry'].map((name) => `function ${name}`),
    ]);
    symbols.close();
  });
});

describe('tables that are not used', () => {
  /** The table of one program in another. */
  function withTable(
    name: string,
    from: string,
    made: Made,
    change: (bytes: Buffer) => void = () => undefined,
  ): string {
    const [path, part] = [scratch(name), scratch(`${name}.section`)];
    run('objcopy', ['-O', 'binary', '--set-section-flags', `${made.section}=alloc`, '-j', made.section, from, part]);
    const bytes = readFileSync(part);
    change(bytes);
    writeFileSync(part, bytes);
    copyFileSync(program(made), path);
    run('objcopy', ['--remove-section', made.section, path]);
    run('objcopy', ['--add-section', `${made.section}=${part}`, path]);
    return path;
  }

  function unitsOf(path: string): { units: number; problems: readonly string[] } {
    const info = openDebugInfo(path);
    const names = new LinkedNames(info);
    const units = names.unitsNamed('head', 'variable').length;
    const problems = [...info.problems];
    info.close();
    return { units, problems };
  }

  for (const made of [gdbIndexes[0], debugNames[0]]) {
    if (!made) continue;
    const own = program(made);
    test(`but ${made.section} as it is`, () => {
      const { units, problems } = unitsOf(withTable(`same${made.section}`, own, made));
      assert.ok(units > 0);
      assert.deepEqual(problems, []);
    });

    test(`${made.section} of another build`, () => {
      const other = program({ ...made, flags: [...(made.flags ?? []), '-DWITHOUT_COMPLEX'] });
      const { units, problems } = unitsOf(withTable(`other${made.section}`, other, made));
      assert.equal(units, 0);
      assert.match(problems[0] ?? '', /the table is of another build/);
    });

    test(`${made.section} of another version`, () => {
      const at = made.section === '.gdb_index' ? 0 : 4;
      for (const version of [4, 6, 9]) {
        const path = withTable(`version${version}${made.section}`, own, made, (bytes) => {
          bytes[at] = version;
        });
        assert.deepEqual(unitsOf(path), { units: 0, problems: [] });
      }
    });
  }

  test("gdb's own .debug_names", () => {
    const [made] = debugNames;
    if (!made) return;
    const path = withTable('by-gdb.debug_names', program(made), made, (bytes) => bytes.write('GDB\0', 40, 'latin1'));
    assert.deepEqual(unitsOf(path), { units: 0, problems: [] });
  });
});

describe('damaged tables end in nothing or in what is there', () => {
  for (const made of [gdbIndexes[0], gdbIndexes.at(-1), debugNames[0], debugNames[2]]) {
    if (!made) continue;
    test(titleOf(made), async () => {
      const path = program(large(made));
      const whole = readFileSync(path);
      const elf = ElfFile.open(path);
      const parts = elf.sections.filter(({ name }) => name === made.section);
      elf.close();
      const reference = await openSymbols(path);
      await reference.indexed;
      const right = await answers(reference, 2);
      reference.close();
      const copy = scratch('damaged-table');
      for (let seed = 1; seed <= 25; seed++) {
        writeFileSync(copy, damagedTable(whole, parts[0] ?? assert.fail(), seed));
        const symbols = await openSymbols(copy);
        const start = performance.now();
        for (const [what, said] of await answers(symbols, 2))
          for (const each of said) assert.ok(right.get(what)?.includes(each), `${what}, seed ${seed}: ${each}`);
        assert.ok(performance.now() - start < 5000, `seed ${seed} took too long`);
        symbols.close();
      }
    });
  }
});

/** Damage in the table alone: elsewhere it may change what is right. */
function damagedTable(whole: Uint8Array, part: { offset: number; size: number }, seed: number): Uint8Array {
  const bytes = Buffer.from(whole);
  const table = bytes.subarray(part.offset, part.offset + part.size);
  // Headers and lists of units are small: most of the damage would miss them.
  const head = { offset: 0, size: Math.min(64, part.size) };
  table.set(damaged(table, [head, { offset: 0, size: part.size }], seed));
  return bytes;
}
