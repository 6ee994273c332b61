import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { breakpointAddresses, fixtures, hasTool, run, scratch } from './fixtures/toolchain.ts';
import { means, parseFunctionName } from './function-name.ts';
import { openSymbols } from './symbols.ts';

const linked = ['-nostdlib', '-static', '-no-pie', '-Wl,--entry=plain', '-Wl,--unresolved-symbols=ignore-all'];

function cplusplus(compiler: string): string {
  const program = scratch(`names-${compiler}`);
  run(compiler, ['-g', '-O1', '-fno-rtti', ...linked, '-o', program, join(fixtures, 'names.cc')]);
  return program;
}

function rust(scheme: 'default' | 'v0'): string {
  const [object, program] = [scratch(`names-${scheme}.o`), scratch(`names-${scheme}`)];
  const code = ['panic=abort', 'opt-level=1', 'overflow-checks=off', 'relocation-model=static', 'debuginfo=2'];
  const mangling = scheme === 'v0' ? ['symbol-mangling-version=v0'] : [];
  const options = [...code, ...mangling].flatMap((each) => ['-C', each]);
  // Without the standard library, which need not be there for a program.
  const crate = ['--crate-name', 'names', '--crate-type', 'lib', '--edition', '2021', '--emit', 'obj'];
  run('rustc', [...crate, ...options, '-o', object, join(fixtures, 'names.rs')]);
  run('gcc', [...linked, '-o', program, object]);
  return program;
}

/** What both gdb and we take by these names; those of the table itself come to it. */
const programs: readonly { name: string; tool: string; path: () => string; names: readonly string[] }[] = [
  ...['g++', 'clang++'].map((compiler) => ({
    name: `C++ by ${compiler}`,
    tool: compiler,
    path: () => cplusplus(compiler),
    names: [
      ...['area', 'Circle::area', 'shapes::Circle::area', 'other::Circle::area', 'shapes::Circle::area(int)', 'area()'],
      ...['twice', 'shapes::twice', 'shapes::twice<int>', 'twice<long>', 'twice<long>(long)', 'get', 'Box::get'],
      ...['shapes::Box<long>::get', 'Box<long>::get(long const*, unsigned int) const', 'shapes::Circle::operator<'],
      ...['Circle::operator()', 'shapes::Circle::operator()(int)', 'shapes::Circle::Circle', 'Circle::~Circle'],
      ...['hidden', '(anonymous namespace)::hidden', 'shapes::(anonymous namespace)::hidden', 'shapes::hidden'],
      ...['inlined', 'shapes::inlined', 'other::inlined', 'exported', 'shapes::exported', 'other::exported', 'plain'],
      ...['shapes', 'Circle::nowhere', 'ircle::area', 'shapes::area', 'Box<int>::get', 'twice<short>', 'area(long)'],
    ],
  })),
  ...(['default', 'v0'] as const).map((scheme) => ({
    name: `Rust, ${scheme} names`,
    tool: 'rustc',
    path: () => rust(scheme),
    names: [
      ...['names::shapes::Circle::area', 'names::shapes::inner::same<i32>', 'names::shapes::inner::same<i64>'],
      ...['names::shapes::exported', 'names::shapes::inner::inlined', 'names::shapes::{impl#1}::size', 'exported'],
      ...['plain', 'names::plain', 'names::shapes::nowhere', 'names::shapes::inner::same<u8>', 'shape::Circle::area'],
    ],
  })),
];

const sorted = (addresses: readonly bigint[]) => [...new Set(addresses)].map((at) => at.toString(16)).sort();

describe('functions by the names that people write, as gdb finds them', () => {
  for (const { name, tool, path, names } of programs) {
    test(name, { skip: !hasTool(tool) }, async () => {
      const program = path();
      const symbols = await openSymbols(program);
      const mangled = [...run('nm', [program]).matchAll(/ [tTwW] (_[ZR]\S+)$/gm)].map(([, each = '']) => each);
      assert.ok(mangled.length >= 4);
      const asked = [...names, ...mangled];
      const theirs = breakpointAddresses(program, asked);
      const compared = (places: (index: number) => readonly bigint[]) =>
        asked.map((each, index) => `${each}: ${sorted(places(index))}`);
      const ours = await Promise.all(asked.map((each) => symbols.placesForFunction(each)));
      assert.deepEqual(
        compared((index) => (ours[index] ?? []).map(({ address }) => address)),
        compared((index) => theirs[index] ?? []),
      );
      symbols.close();
    });
  }
});

test('functions by their names in a text of symbols', async () => {
  const [program, path] = [cplusplus('g++'), scratch('names.map')];
  writeFileSync(path, run('nm', ['-n', program]));
  const readable = run('nm', ['-C', program]);
  const symbols = await openSymbols(path);
  for (const name of ['shapes::Circle::area', 'other::Circle::area', 'shapes::twice', 'plain', 'nowhere::area']) {
    const lines = readable.matchAll(/^([0-9a-f]+) [tTwW] (?:(?:int|long) )?([\w:]+)/gm);
    const theirs = [...lines].filter(([, , each]) => each === name).map(([, digits]) => BigInt(`0x${digits}`));
    assert.deepEqual(sorted(symbols.functionSymbols(name).map(({ address }) => address)), sorted(theirs), name);
  }
  symbols.close();
});

test('what gdb does not take: methods of traits by their type, functions without their crate', () => {
  const size = parseFunctionName('<names::shapes::Circle as names::shapes::Measured>::size');
  for (const name of ['size', 'Circle::size', 'names::shapes::Circle::size'])
    assert.ok(means(parseFunctionName(name), size), name);
  for (const name of ['Measured::size', 'Square::size', 'Circle'])
    assert.ok(!means(parseFunctionName(name), size), name);
});

test('names are taken apart however they end', () => {
  const whole = 'shapes::Box<std::pair<int, long> >::operator()<f(*)(int)>(char const*, {lambda(int)#1}) const';
  for (let end = 0; end <= whole.length; end++) assert.ok(parseFunctionName(whole.slice(0, end)).parts.length > 0);
  assert.deepEqual(
    parseFunctionName(whole).parts.map(({ base }) => base),
    ['shapes', 'Box', 'operator()'],
  );
  assert.equal(parseFunctionName('core::mem::align_of::<fn() -> f64>').parts.at(-1)?.templates, '<fn()->f64>');
  assert.equal(parseFunctionName('outer(int)::{lambda(int)#1}::operator()(int) const').parameters, '(int)');
});
