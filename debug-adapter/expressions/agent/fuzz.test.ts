/**
 * Made-up conditions and messages: what the stub's bytecode comes to, run by the core's interpreter, is what the evaluator gives, and
 * what does not compile says so. gdbserver.test.ts has the oracle for both.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { evaluate } from '../../../hypervisor-core/protocol/agent/evaluate.ts';
import { AgentError, parseProgram } from '../../../hypervisor-core/protocol/agent/program.ts';
import type { Type } from '../../symbols/api.ts';
import { ExpressionError } from '../api.ts';
import { createExpressions } from '../expressions.ts';
import { fakeContext } from '../fake-context.ts';
import { builtinType, modelOf } from '../types.ts';

const SEED = 20261124;
const DATA = 0xffffffff80002000n;
const REGISTERS = ['rax', 'rbx', 'rsp'].map((name, regnum) => ({ name, bits: 64, regnum }));

const expressions = createExpressions();
const builtin = (words: string) => builtinType(words.split(' '), modelOf(undefined)) as Type;
const pair: Type = {
  kind: 'struct',
  name: 'pair',
  size: 16,
  declaration: false,
  get members() {
    return [
      { name: 'low', type: builtin('unsigned int'), offset: 0, bits: { offset: 0, size: 3 } },
      { name: 'high', type: builtin('int'), offset: 0, bits: { offset: 3, size: 9 } },
      { name: 'half', type: builtin('short'), offset: 4 },
      { name: 'next', type: { kind: 'pointer', size: 8, target: pair } as const, offset: 8 },
    ];
  },
};

const bytes = Uint8Array.from({ length: 4096 }, (_, at) => (at * 37 + 130) & 0xff);
const view = new DataView(bytes.buffer);
view.setBigUint64(8, DATA, true);
const little = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);
const registers = { rax: little(0x1122_3344_5566_7788n), rbx: little(0xffff_ffff_8000_0007n), rsp: little(DATA) };
const at = (type: Type, offset: bigint) => ({ type, place: { kind: 'memory', address: DATA + offset } as const });
const numbers = ['signed char', 'unsigned char', 'short', 'unsigned short', 'int', 'unsigned int', 'long'].map(
  (name, index) => [name.replace(' ', '_'), at(builtin(name), 16n + 8n * BigInt(index))] as const,
);
const context = () =>
  fakeContext({
    types: { 'struct pair': pair },
    variables: {
      ...Object.fromEntries(numbers),
      wide: at(builtin('unsigned long'), 80n),
      pair: at(pair, 0n),
      p: { type: { kind: 'pointer', size: 8, target: pair }, place: { kind: 'memory', address: DATA + 8n } },
      inRegister: { type: builtin('int'), place: { kind: 'register', name: 'rbx' } },
    },
    memory: [{ address: DATA, bytes }],
    registers,
  });

const leaf = fc.oneof(
  fc.constantFrom(...numbers.map(([name]) => name), 'wide', 'pair.low', 'pair.high', 'pair.half', 'p->half', 'p'),
  fc.constantFrom('inRegister', '$rax', '$rbx', '(long)&pair', 'p->next->high', 'sizeof pair', '*(char *)p', '1.5'),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String),
  fc.integer({ min: 0, max: 70 }).map(String),
);
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom('-', '!', '~', '(char)', '(unsigned)', '(long)', '(short)'), tie('tree'))
      .map((x) => `${x[0]}(${x[1]})`),
    fc
      .tuple(tie('tree'), fc.constantFrom(...'+ - * / % < <= > >= == != & | ^ && ||'.split(' ')), tie('tree'))
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    // C leaves shifts by more than there are bits undefined.
    fc
      .tuple(tie('tree'), fc.constantFrom('<<', '>>'), fc.integer({ min: 0, max: 31 }))
      .map(([left, operator, count]) => `(${left}) ${operator} ${count}`),
    fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([test, yes, no]) => `(${test}) ? (${yes}) : (${no})`),
  ),
}));

const scope = () => ({ symbols: context().symbols, pc: 0xffffffff80001000n, registers: REGISTERS });

/** What the stub makes of something compiled: its value and what it prints, or `fails`; undefined for what does not compile. */
async function byStub(source: string, compiling: Promise<Uint8Array>) {
  const code = await compiling.catch((error: unknown) => {
    assert.ok(error instanceof ExpressionError, `${source}: ${error}`);
  });
  if (!code) return undefined;
  let printed = '';
  try {
    const value = evaluate(parseProgram(code), {
      register: (regnum) =>
        new DataView(Object.values(registers)[regnum]?.buffer ?? new ArrayBuffer(8)).getBigUint64(0, true),
      memory: (address, length) => bytes.slice(Number(address - DATA), Number(address - DATA) + length),
      variable: () => 0n,
      setVariable: () => undefined,
      print: (text) => {
        printed += text;
      },
    });
    return { value, printed };
  } catch (error) {
    assert.ok(error instanceof AgentError, `${source}: ${error}`);
    return 'fails';
  }
}

const conditionByStub = (source: string) => byStub(source, expressions.compile(source, scope()));

/** `fails` where the adapter has no value either. */
const orFails = (source: string) => (error: unknown) => {
  assert.ok(error instanceof ExpressionError, `${source}: ${error}`);
  return 'fails';
};

test('a condition comes to the same in the stub and in the adapter', async () => {
  let compiled = 0;
  await fc.assert(
    fc.asyncProperty(tree, async (source) => {
      const there = await conditionByStub(source);
      if (there === undefined) return;
      compiled++;
      const here = await expressions.holds(source, context()).catch(orFails(source));
      assert.equal(typeof there === 'string' ? there : there.value !== 0n, here, source);
    }),
    { numRuns: 3000, seed: SEED },
  );
  assert.ok(compiled > 1000, `only ${compiled} conditions were compiled`);
});

test('a log message reads the same from the stub and from the adapter', async () => {
  let compiled = 0;
  await fc.assert(
    fc.asyncProperty(tree, fc.constantFrom('', ',x', ',d'), async (written, suffix) => {
      const part = expressions.splitFormat(written + suffix);
      const there = await byStub(written, expressions.compileMessage(['\\100% ', part, ' "', part, '"'], scope()));
      if (there === undefined) return;
      compiled++;
      const here = await expressions
        .evaluate(part.source, context())
        .then((value) => expressions.format(value, context(), part.format))
        .then(({ text }) => `\\100% ${text} "${text}"\n`)
        .catch(orFails(written));
      assert.equal(typeof there === 'string' ? there : there.printed, here, written + suffix);
    }),
    { numRuns: 3000, seed: SEED },
  );
  assert.ok(compiled > 1000, `only ${compiled} messages were compiled`);
});

test('any text is compiled or refused with words', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 60 }),
      async (source) => void (await conditionByStub(source)),
    ),
    {
      numRuns: 2000,
      seed: SEED,
    },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom(
          ...'( ) [ ] * & - > . -> ? : , = p pair low $rax 1 0x 1e9 "s" sizeof struct (int) container_of( $list('.split(
            ' ',
          ),
        ),
        {
          maxLength: 40,
        },
      ),
      async (words) => void (await conditionByStub(words.join(' '))),
    ),
    { numRuns: 2000, seed: SEED },
  );
});
