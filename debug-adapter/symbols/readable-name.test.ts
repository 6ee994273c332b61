import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { gdb, run, scratch } from './fixtures/toolchain.ts';
import { readableName, symbolOffset } from './readable-name.ts';
import { openSymbols } from './symbols.ts';

/** What binutils makes of them, one a line. */
const filtered = (names: readonly string[], ...flags: string[]): string[] =>
  run('c++filt', [...flags, ...names])
    .trimEnd()
    .split('\n');

test('the names of functions that libstdc++ exports, as c++filt has them', () => {
  const library = run('gcc', ['-print-file-name=libstdc++.so.6']).trim();
  const listed = [...run('nm', ['-D', '--defined-only', library]).matchAll(/ [TW] (_Z\w+)/g)];
  // Told in other words: thunks, conversions to pointers to members, std::string and streams by their abbreviations.
  const names = listed.map(([, name = '']) => name).filter((name) => !/^_ZT|cvM|S[abdios]/.test(name));
  assert.ok(names.length > 1000, `${names.length}`);
  const theirs = filtered(names, '--no-params');
  const differences = names.flatMap((name, index) => {
    const [ours, other] = [readableName(name), theirs[index] ?? '-'];
    return ours.startsWith(other) ? [] : [`${name}: ${ours} instead of ${other}`];
  });
  assert.deepEqual(differences, []);
});

/** Out of RFC 2603, its tests in rustc-demangle, and the Rust compiler. */
const rust = [
  '_ZN4core9panicking5panic17h0123456789abcdefE',
  '_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE',
  '_ZN4bork4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE',
  '_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE',
  '_RNvC6_123foo3bar',
  '_RNvNtCs1234_7mycrate3foo3bar',
  '_RINvNtC3std3mem8align_ofdE',
  '_RNCNvC4bork4main0B3_',
  '_RNvXs0_C1aNtB5_1SNtC1b1T1f',
  '_RNvMs_NtCs5l0EXMQXRMU_4core3fmtNtB4_9Formatter9write_str',
  '_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y',
];

test('names of Rust, as c++filt has them but for hashes', () => {
  const theirs = filtered(rust).map((text) => text.replace(/::h[0-9a-f]{16}$/, '').replaceAll(/\[[0-9a-f]+\]/g, ''));
  assert.deepEqual(rust.map(readableName), theirs);
});

test('names that are not mangled stay as they are', () => {
  for (const name of ['main', '_start', '_RESET', '_Reset', '_Z', '_R', '', '__x64_sys_read', `_Z${'1a'.repeat(5000)}`])
    assert.equal(readableName(name), name);
});

const source = `
namespace shapes {
  template <typename T> struct Box { T held; T __attribute__((noinline)) get(const T *, unsigned) const; };
  template <typename T> T Box<T>::get(const T *p, unsigned n) const { return held + p[n]; }
  class Circle { public: Circle(int); virtual int area(); int r; };
  __attribute__((noinline)) Circle::Circle(int r) : r(r) {}
  int Circle::area() { return 3 * r * r; }
  namespace { __attribute__((noinline)) int hidden(char c) { return c + 1; } }
}
extern "C" int plain(int n) { shapes::Circle c(n); shapes::Box<long> b{n}; long l = n;
  return c.area() + b.get(&l, 0) + shapes::hidden(n); }
`;

test('functions of a C++ program as gdb has them, by DWARF and by symbol', async () => {
  const [file, program] = [scratch('shapes.cc'), scratch('shapes')];
  writeFileSync(file, source);
  const flags = ['-g', '-O1', '-nostdlib', '-static', '-no-pie', '-fno-rtti', '-Wl,--entry=plain'];
  run('g++', [...flags, '-Wl,--unresolved-symbols=ignore-all', '-o', program, file]);
  const symbols = await openSymbols(program);
  const functions = [...run('nm', [program]).matchAll(/^([0-9a-f]+) [tTwW] (\S+)$/gm)];
  assert.ok(functions.length >= 5);
  const addresses = functions.map(([, digits]) => BigInt(`0x${digits}`));
  const text = gdb(
    program,
    addresses.map((address) => `info symbol ${address}`),
  );
  const theirs = [...text.matchAll(/^(.+) in section /gm)].map(([, name]) => name);
  assert.deepEqual(
    addresses.map((address) => symbolOffset(symbols.symbolAt(address) ?? assert.fail(), address)),
    theirs,
  );
  assert.deepEqual(
    addresses.map((address) => symbols.functionAt(address)?.name),
    // DWARF has no mangled name for what is of one file only.
    theirs.map((name) => (name === 'shapes::(anonymous namespace)::hidden(char)' ? 'hidden' : name)),
  );
  symbols.close();
});

/** The last test: after it no name is read any more. */
test('a name that means gigabytes stays as it is', () => {
  let name = '_Z1f1A1PIS_S_E';
  for (let index = 1; index < 40; index++) {
    const last = `S${index.toString(36).toUpperCase()}_`;
    name += `S0_I${last}${last}E`;
  }
  assert.equal(readableName(name), name);
  assert.equal(readableName('_ZN3foo3barEv'), '_ZN3foo3barEv');
});
