/** Integer expressions against gcc: one program prints the values and types of a few hundred random ones. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Type } from '../symbols/api.ts';
import { createExpressions } from './expressions.ts';
import { fakeContext } from './fake-context.ts';
import { builtinType, modelOf } from './types.ts';

const expressions = createExpressions();
const model = modelOf(undefined);
const typeOf = (words: string) => builtinType(words.split(' '), model)!;

const TYPES = [
  'signed char',
  'unsigned char',
  'short',
  'unsigned short',
  'int',
  'unsigned int',
  'long',
  'unsigned long',
  'long long',
  'unsigned long long',
];

/** One variable of each type, with a value that has its highest bit set, and one with a small value. */
const VARIABLES = TYPES.flatMap((type, index) => [
  { name: `big${index}`, type, value: -0x123456789abcdefn },
  { name: `small${index}`, type, value: BigInt(index * 3 + 1) },
]);

const context = fakeContext({
  variables: Object.fromEntries(
    VARIABLES.map(({ name, type, value }) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigInt64(0, value, true);
      return [name, { type: typeOf(type), place: { kind: 'value', bytes } as const }];
    }),
  ),
});

const literal = fc
  .tuple(
    fc.oneof(
      fc.bigInt(0n, 300n),
      fc.bigInt(0n, (1n << 63n) - 1n),
      fc.constantFrom(0x7fffffffn, 0x80000000n, 0xffffffffn),
    ),
    fc.constantFrom('', 'u', 'l', 'UL', 'll', 'ull'),
    fc.constantFrom('', '0x', '0'),
  )
  .map(([value, suffix, base]) => {
    if (base === '0x') return `0x${value.toString(16)}${suffix}`;
    if (base === '0') return `0${value.toString(8)}${suffix}`;
    return `${value}${suffix}`;
  });

/** Divisors that are not zero and counts within the width: C leaves the others open. */
const divisor = fc.integer({ min: 1, max: 1000 }).map(String);
const count = fc.integer({ min: 0, max: 31 }).map(String);

const { tree } = fc.letrec<{ tree: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(
    literal,
    fc.constantFrom(...VARIABLES.map(({ name }) => name)),
    fc.constantFrom("'a'", "'\\n'", "'\\\\'"),
  ),
  tree: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'tree' },
    tie('leaf'),
    fc.tuple(fc.constantFrom('-', '+', '~', '!'), tie('tree')).map(([operator, x]) => `${operator}(${x})`),
    fc
      .tuple(
        tie('tree'),
        fc.constantFrom('+', '-', '*', '&', '|', '^', '<', '>', '<=', '>=', '==', '!=', '&&', '||'),
        tie('tree'),
      )
      .map(([x, operator, y]) => `(${x}) ${operator} (${y})`),
    fc.tuple(tie('tree'), fc.constantFrom('/', '%'), divisor).map(([x, operator, y]) => `(${x}) ${operator} ${y}`),
    fc.tuple(tie('tree'), fc.constantFrom('<<', '>>'), count).map(([x, operator, y]) => `(${x}) ${operator} ${y}`),
    fc.tuple(fc.constantFrom(...TYPES, '_Bool'), tie('tree')).map(([type, x]) => `(${type})(${x})`),
    fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([x, y, z]) => `(${x}) ? (${y}) : (${z})`),
    tie('tree').map((x) => `sizeof(${x})`),
  ),
}));

/** Unparenthesized operators, for precedence; no operand can fail. */
const chain = fc
  .tuple(
    literal,
    fc.array(
      fc.tuple(fc.constantFrom('+', '-', '*', '&', '|', '^', '<', '>', '<=', '>=', '==', '!=', '&&', '||'), literal),
      { minLength: 2, maxLength: 8 },
    ),
  )
  .map(([first, rest]) => [first, ...rest.map(([operator, operand]) => `${operator} ${operand}`)].join(' '));

/** What gcc's type names are to {@link Expressions.typeName}. */
const GENERIC = TYPES.concat('char', '_Bool')
  .map((type) => `${type}: "${type}"`)
  .join(', ');

function gcc(sources: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-arithmetic-'));
  try {
    const variables = VARIABLES.map(({ name, type, value }) => `volatile ${type} ${name} = (${type})${value}LL;`);
    const prints = sources.map(
      (source) => `printf("%s %lld\\n", _Generic((${source}), ${GENERIC}), (long long)(${source}));`,
    );
    const text = `#include <stdio.h>\n${variables.join('\n')}\nint main(void) {\n${prints.join('\n')}\nreturn 0; }\n`;
    writeFileSync(join(folder, 'oracle.c'), text);
    const program = join(folder, 'oracle');
    const build = spawnSync('gcc', ['-w', '-O0', '-fwrapv', '-o', program, join(folder, 'oracle.c')], {
      encoding: 'utf8',
    });
    assert.equal(build.status, 0, build.stderr);
    return spawnSync(program, { encoding: 'utf8', maxBuffer: 1 << 26 })
      .stdout.trim()
      .split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function ours(source: string): Promise<string> {
  const value = await expressions.evaluate(source, context);
  assert.equal(value.place.kind, 'value');
  const wide = await expressions.evaluate(`(long long)(${source})`, context);
  const { text } = await expressions.format(wide, context);
  const names: Record<string, string> = { size_t: 'unsigned long', bool: '_Bool' };
  const name = expressions.typeName(value.type);
  return `${names[name] ?? name} ${text}`;
}

describe('integer arithmetic is that of gcc', () => {
  // gcc gives a character constant the type int; gdb and this evaluator keep char, to show it as one.
  const promoted = (line: string) => line.replace(/^char /, 'int ');

  for (const [name, arbitrary, runs] of [
    ['random trees', tree, 400],
    ['operator chains', chain, 200],
  ] as const) {
    test(name, async () => {
      const sources = fc.sample(arbitrary, { numRuns: runs }).filter((source) => !/sizeof\('/.test(source));
      const expected = gcc(sources);
      assert.equal(expected.length, sources.length);
      for (const [index, source] of sources.entries()) {
        assert.equal(promoted(await ours(source)), expected[index], source);
      }
    });
  }
});

describe('what C leaves open', () => {
  const fails = async (source: string, message: RegExp, column: number) => {
    await assert.rejects(expressions.evaluate(source, context), { message, column });
  };
  test('division by zero is an error at the operator', async () => {
    await fails('1 / 0', /Division by zero/, 2);
    await fails('1 % (2 - 2)', /Division by zero/, 2);
  });
  test('shifts by a negative count are an error, by too many shift all bits out', async () => {
    await fails('1 << -1', /Shift count is negative/, 2);
    assert.equal(await ours('1 << 32'), 'int 0');
    assert.equal(await ours('-1 >> 100'), 'int -1');
    assert.equal(await ours('1 << 0xffffffffffffffff'), 'int 0');
  });
});

describe('ILP32', () => {
  test('long and pointers have 32 bits', async () => {
    const narrow = fakeContext({ machine: 'i386' });
    const value = async (source: string) =>
      (await expressions.format(await expressions.evaluate(source, narrow), narrow)).text;
    assert.equal(await value('sizeof(long)'), '4');
    assert.equal(await value('sizeof(void *)'), '4');
    assert.equal(await value('(unsigned long)-1'), '4294967295');
    assert.equal(await value('(void *)0xffffffff + 2'), '0x1');
  });
});

describe('floating point', () => {
  const value = async (source: string) => {
    const result = await expressions.evaluate(source, context);
    const { text, type } = await expressions.format(result, context);
    return `${type} ${text}`;
  };
  test('follows the usual conversions', async () => {
    assert.equal(await value('1 / 2.0'), 'double 0.5');
    assert.equal(await value('1.5f + 1'), 'float 2.5');
    assert.equal(await value('0.1f'), 'float 0.1');
    assert.equal(await value('(int)-2.7'), 'int -2');
    assert.equal(await value('(float)16777217'), 'float 16777216');
    assert.equal(await value('1e308 * 10'), 'double inf');
    assert.equal(await value('2.5 > 2'), 'int 1');
    await assert.rejects(expressions.evaluate('1.5 % 2', context), /floating-point/);
    await assert.rejects(expressions.evaluate('~1.5', context), /floating-point/);
  });
});

/** Types that nothing in C can be computed with are refused, not guessed. */
test('operands that are no numbers', async () => {
  const struct: Type = { kind: 'struct', name: 's', size: 4, members: [], declaration: false };
  const guest = fakeContext({ variables: { s: { type: struct, place: { kind: 'memory', address: 0n } } } });
  await assert.rejects(expressions.evaluate('s + 1', guest), /not a number/);
  await assert.rejects(expressions.evaluate('!s', guest), /not a number/);
  await assert.rejects(expressions.evaluate('(long)s', guest), /not a number/);
});
