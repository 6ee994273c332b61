import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Member, Type } from '../symbols/api.ts';
import { ExpressionError, type ValueFormat } from './api.ts';
import { createExpressions } from './expressions.ts';
import { type FakeContext, type FakeGuest, fakeContext } from './fake-context.ts';
import { builtinType, modelOf } from './types.ts';

const expressions = createExpressions();
const model = modelOf(undefined);
const builtin = (words: string) => builtinType(words.split(' '), model)!;
const pointer = (target: Type): Type => ({ kind: 'pointer', size: 8, target });
const struct = (name: string, size: number, members: readonly Member[]): Type => ({
  kind: 'struct',
  name,
  size,
  members,
  declaration: false,
});

const DATA = 0xffffffff80002000n;
const CODE = 0xffffffff80001000n;

/** A list node that links to itself; members are read late, as from DWARF. */
const node: Type = {
  kind: 'struct',
  name: 'node',
  size: 24,
  declaration: false,
  get members() {
    return [
      { name: 'value', type: builtin('int'), offset: 0 },
      { name: 'low', type: builtin('unsigned int'), offset: 4, bits: { offset: 0, size: 3 } },
      { name: 'high', type: builtin('int'), offset: 4, bits: { offset: 3, size: 5 } },
      { name: 'next', type: pointer(node), offset: 8 },
      { name: 'tag', type: { kind: 'array', element: builtin('char'), count: 8 } as const, offset: 16 },
    ];
  },
};

function guest(more: Partial<FakeGuest> = {}): FakeContext {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, -5, true);
  view.setUint8(4, 0b11101_101);
  view.setBigUint64(8, DATA, true);
  bytes.set(new TextEncoder().encode('first'), 16);
  const memory = (type: Type, address: bigint) => ({ type, place: { kind: 'memory', address } as const });
  return fakeContext({
    types: { 'struct node': node, node_t: { kind: 'typedef', name: 'node_t', target: node } },
    variables: {
      first: memory(node, DATA),
      p: { type: pointer(node), place: { kind: 'value', bytes: littleEndian(DATA) } },
      lost: { type: builtin('int'), place: { kind: 'optimized-out' } },
      gone: memory(node, 0x5000n),
      stray: { type: pointer(builtin('char')), place: { kind: 'value', bytes: littleEndian(0x5000n) } },
      wild: { type: pointer(builtin('char')), place: { kind: 'value', bytes: littleEndian(0xdead_0000_0000_0000n) } },
      inRegister: { type: builtin('int'), place: { kind: 'register', name: 'rbx' } },
      split: {
        type: struct('pair', 8, [
          { name: 'a', type: builtin('int'), offset: 0 },
          { name: 'b', type: builtin('int'), offset: 4 },
        ]),
        place: {
          kind: 'pieces',
          pieces: [
            { place: { kind: 'register', name: 'rbx' }, size: 4 },
            { place: { kind: 'memory', address: DATA }, size: 4 },
          ],
        },
      },
    },
    symbols: [
      { name: 'entry', address: CODE, size: 16n, kind: 'other', global: true },
      { name: 'stack_top', address: DATA + 64n, size: 0n, kind: 'object', global: true },
      { name: 'first', address: DATA, size: 24n, kind: 'object', global: true },
    ],
    memory: [{ address: DATA, bytes }],
    registers: {
      rax: littleEndian(0x1122334455667788n),
      rbx: littleEndian(0xffffffff00000007n),
      rip: littleEndian(CODE + 4n),
      rsp: littleEndian(DATA + 8n),
      eflags: littleEndian(0x246n).slice(0, 4),
      cs: littleEndian(8n).slice(0, 4),
      xmm0: Uint8Array.from({ length: 16 }, (_, index) => index),
      st0: Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0xd0, 0x00, 0x40]),
    },
    ...more,
  });
}

function littleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

async function show(source: string, context = guest(), format?: ValueFormat) {
  const value = await expressions.evaluate(source, context);
  return (await expressions.format(value, context, format)).text;
}

/** Evaluates, expecting text. */
const shows = (source: string, text: string) => test(source, async () => assert.equal(await show(source), text));

/** Evaluates, expecting an error at a column. */
const fails = (source: string, message: RegExp, column: number) =>
  test(source, async () => {
    await assert.rejects(expressions.evaluate(source, guest()), (error: Error) => {
      assert.ok(error instanceof ExpressionError);
      assert.match(error.message, message);
      assert.equal(error.column, column);
      return true;
    });
  });

describe('registers', () => {
  shows('$rip', '0xffffffff80001004 <entry+0x4>');
  shows('$pc', '0xffffffff80001004 <entry+0x4>');
  shows('$rsp', '0xffffffff80002008 <first+0x8>');
  shows('$rax', '1234605616436508552');
  shows('$RAX', '1234605616436508552');
  shows('$eax', '1432778632');
  shows('$ax', '30600');
  shows('$al', '-120');
  shows('$ah', '119');
  shows('$cs', '8');
  shows('$eflags', '0x246 [PF ZF IF]');
  shows('$eflags & 0x200', '512');
  shows('$st0', '3.25');
  shows('$xmm0.v4_int32[1]', '117835012');
  shows('*(long *)$rsp == $rsp - 8', '1');
  shows('$rip == &entry + 4', '1');
  fails('1 + $nothing', /no register \$nothing/, 4);
});

describe('memory and places', () => {
  shows('first', '{value = -5, low = 5, high = -3, next = 0xffffffff80002000 <first>, tag = "first"}');
  shows('p->next->next->value', '-5');
  shows('p.value', '-5');
  shows('first.high * 2', '-6');
  shows('first.low - 6 < 0', '1');
  shows('lost', '<optimized out>');
  shows('gone', '<not mapped>');
  shows('gone.value', '<not mapped>');
  shows('stray', '0x5000 <not mapped, user address>');
  shows('wild', '0xdead000000000000 <not mapped, non-canonical>');
  shows('(char *)0', '0x0');
  shows('inRegister', '7');
  shows('split', '{a = 7, b = -5}');
  shows('split.b + split.a', '2');
  shows('&first', '0xffffffff80002000 <first>');
  shows('&entry', '0xffffffff80001000 <entry>');
  shows('entry', '{<text variable, no debug info>} 0xffffffff80001000 <entry>');
  shows('&stack_top', '0xffffffff80002040 <stack_top>');
  shows('(long)stack_top', '0');
  shows('*(int *)&first', '-5');
  shows('(node_t *)p', '0xffffffff80002000 <first>');
  shows('sizeof(struct node)', '24');
  shows('sizeof(gone.value / gone.low)', '4');
  shows('sizeof *p->next', '24');
  shows('true + NULL', '0x1');
  shows('"abc"[1]', "98 'b'");
});

describe('errors', () => {
  fails('nobody', /No symbol "nobody" in current context/, 0);
  fails('1 + nobody', /No symbol "nobody"/, 4);
  fails('first.nobody', /no member named nobody/, 6);
  fails('first.value.x', /not a structure/, 12);
  fails('*first', /not a number/, 0);
  fails('*lost', /optimized out/, 0);
  fails('gone.value + 1', /Cannot access memory at address 0x5000/, 5);
  fails('stack_top', /unknown type; cast it to its declared type/, 0);
  fails('stack_top + 1', /unknown type/, 0);
  fails('&first.low', /bit-field/, 0);
  fails('&$rax', /not located in memory/, 0);
  fails('&1', /not located in memory/, 0);
  fails('*(void *)0', /void pointer/, 0);
  fails('(struct nobody *)0', /No struct type named nobody/, 1);
  fails('(struct node)1', /Invalid cast/, 0);
  fails('entry(1)', /cannot be called/, 5);
  fails('1 = 2', /not an lvalue/, 2);
  fails('first = 1', /Cannot assign int to struct node/, 6);
  fails('p + 1.5', /floating-point/, 2);
  fails('p * 2', /does not take a pointer/, 2);
  fails('*p@-1', /Invalid number -1/, 2);
  fails('1@2', /in memory/, 1);
  fails('lost = 1', /optimized out/, 5);
});

describe('assignment', () => {
  const assigns = (target: string, source: string, text: string, written: string | undefined) =>
    test(`${target} = ${source}`, async () => {
      const context = guest();
      const value = await expressions.evaluate(target, context);
      const now = await expressions.assign(value, source, context);
      assert.equal((await expressions.format(now, context)).text, text);
      const last = context.writes.at(-1);
      assert.equal(
        last && `${typeof last.to === 'bigint' ? last.to - DATA : last.to}: ${Buffer.from(last.bytes).toString('hex')}`,
        written,
      );
    });
  assigns('first.value', '-2', '-2', '0: feffffff');
  assigns('first.low', '0xff', '7', '4: ef');
  assigns('first.high', '15', '15', '4: 7d');
  assigns('first.next', '&first.next', '0xffffffff80002008 <first+0x8>', '8: 08200080ffffffff');
  assigns('first.tag', '"hi"', '"hi"', '16: 6869000000000000');
  assigns('first.tag[0]', "'\\''", "39 '\\''", '16: 27');
  assigns('first.tag[0]', "102 'f'", "102 'f'", '16: 66');
  assigns(
    'first',
    '*p',
    '{value = -5, low = 5, high = -3, next = 0xffffffff80002000 <first>, tag = "first"}',
    '0: fbffffffed000000002000' + '80ffffffff6669727374000000',
  );
  assigns('$rax', '-1', '-1', 'rax: ffffffffffffffff');
  assigns('$eax', '1', '1', 'rax: 0100000044332211');
  assigns('$ah', '0', '0', 'rax: 8800665544332211');
  assigns('$rip', '0xffffffff80001000 <entry>', '0xffffffff80001000 <entry>', 'rip: 001000' + '80ffffffff');
  assigns('$eflags', '0x202 [IF]', '0x202 [IF]', 'eflags: 02020000');
  assigns('inRegister', '-1', '-1', 'rbx: ffffffffffffffff');

  test('operators and steps', async () => {
    const context = guest();
    assert.equal(await show('first.value += 7', context), '2');
    assert.equal(await show('first.value++', context), '2');
    assert.equal(await show('--first.value', context), '2');
    assert.equal(await show('first.value <<= 4', context), '32');
    assert.equal(await show('first.next += 1', context), '0xffffffff80002018');
    const value = await expressions.evaluate('first.value = 3', context);
    assert.equal(value.expression, '', 'evaluating a child must not assign again');
  });

  test('refuses what has no place, and what is too long', async () => {
    const context = guest();
    const target = async (source: string) => expressions.evaluate(source, context);
    await assert.rejects(
      expressions
        .assign(await target('split.a'), '1', context)
        .then(() => target('split').then((value) => expressions.assign(value, 'split', context))),
      /several places/,
    );
    await assert.rejects(
      expressions.assign(await target('first.tag'), '"much too long"', context),
      /does not fit into 8/,
    );
    await assert.rejects(expressions.assign(await target('1 + 1'), '1', context), /not an lvalue/);
  });
});

describe('formats', () => {
  const inRadix = (source: string, text: string) =>
    test(source, async () => {
      const { source: expression, format } = expressions.splitFormat(source);
      assert.equal(await show(expression, guest(), format), text);
    });
  inRadix('first.value,x', '0xfffffffb');
  inRadix('first.value, d', '-5');
  inRadix('first.low,b', '0b101');
  inRadix('first.low,t', '0b101');
  inRadix('64,o', '0100');
  inRadix('65,c', "65 'A'");
  inRadix('first.tag,x', '{0x66, 0x69, 0x72, 0x73, 0x74, 0x0, 0x0, 0x0}');
  inRadix('first.tag,s', '"first"');
  inRadix('p,x', '0xffffffff80002000');
  inRadix('p,d', '18446744071562076160');
  inRadix('(1, 2)', '2');

  test('pointers lead to memory and to their members', async () => {
    const context = guest();
    const shown = await expressions.format(await expressions.evaluate('p', context), context);
    assert.deepEqual(shown, {
      text: '0xffffffff80002000 <first>',
      type: 'struct node *',
      children: 5,
      indexed: false,
      memory: DATA,
      writable: false,
    });
  });
});

describe('bounds', () => {
  test('a huge array is shown in part and paged', async () => {
    const huge: Type = { kind: 'array', element: builtin('int'), count: 1 << 30 };
    const context = guest({ variables: { huge: { type: huge, place: { kind: 'memory', address: DATA } } } });
    const value = await expressions.evaluate('huge', context);
    context.bytesRead = 0;
    const shown = await expressions.format(value, context);
    assert.ok(shown.text.length < 1000 && shown.text.endsWith('...}'));
    assert.equal(shown.children, 1 << 30);
    assert.ok(context.bytesRead <= 4096);
    const page = await expressions.children(value, context, 1_000_000, 100);
    assert.deepEqual([page.length, page[0]?.name, page[0]?.value.expression], [100, '[1000000]', 'huge[1000000]']);
    assert.equal((await expressions.format(page[0]!.value, context)).text, '<not mapped>');
    assert.ok((await expressions.children(value, context, 0, 1e9)).length <= 4096);
  });

  test('types that contain themselves end', async () => {
    const inner: { kind: 'struct'; size: number; declaration: false; members: Member[] } = {
      kind: 'struct',
      size: 8,
      declaration: false,
      members: [],
    };
    inner.members.push({ name: 'again', type: inner, offset: 0 }, { type: inner, offset: 0 });
    const loop: { kind: 'typedef'; name: string; target: Type } = { kind: 'typedef', name: 'loop', target: inner };
    loop.target = loop;
    const array: { kind: 'array'; element: Type; count: number } = { kind: 'array', element: inner, count: 2 };
    array.element = array;
    const self: { kind: 'pointer'; size: number; target: Type } = { kind: 'pointer', size: 8, target: inner };
    self.target = self;
    const place = { kind: 'memory', address: DATA } as const;
    for (const type of [inner, loop, array, self] as const) {
      const context = guest({ variables: { x: { type, place } } });
      for (const source of ['x', '&x', 'sizeof x', '*&x', 'x.again', '(int)x']) {
        const value = await expressions.evaluate(source, context).catch((error: Error) => error);
        if (value instanceof Error) {
          assert.ok(value instanceof ExpressionError, `${source}: ${value.stack}`);
          continue;
        }
        const shown = await expressions.format(value, context);
        assert.ok(shown.text.length < 3000, shown.text);
        assert.ok((await expressions.children(value, context, 0, 10)).length <= 10);
        assert.ok(expressions.typeName(value.type).length < 3000);
      }
    }
  });

  test('a string is read to its end and no further than the limit', async () => {
    const bytes = new Uint8Array(8192).fill(65);
    const context = guest({
      memory: [{ address: DATA, bytes }],
      variables: { text: { type: pointer(builtin('char')), place: { kind: 'value', bytes: littleEndian(DATA) } } },
    });
    assert.equal(await show('text', context), `0xffffffff80002000 <first> "${'A'.repeat(200)}"...`);
    assert.ok(context.bytesRead < 300);
    const atEnd = fakeContext({ memory: [{ address: 0x1000n, bytes: bytes.subarray(0, 4096) }] });
    assert.equal(await show('(char *)0x1ffc', atEnd), '0x1ffc "AAAA"...');
  });

  test('text that is no ASCII', async () => {
    const place = {
      kind: 'value',
      bytes: Uint8Array.from([...new TextEncoder().encode('grün→\u202e'), 0xff, 1, 0]),
    } as const;
    const type: Type = { kind: 'array', element: builtin('char'), count: place.bytes.length };
    const context = guest({ variables: { text: { type, place } } });
    assert.equal(await show('text', context), '"grün→\\342\\200\\256\\377\\001"');
  });
});

describe('any expression gives a value or an ExpressionError', () => {
  const part = fc.constantFrom(
    ...'first p lost gone stray wild inRegister split entry stack_top $rax $xmm0 $eflags 1 0 -1 0xffffffffffffffff 2.5 \'a\' "s" nobody'.split(
      ' ',
    ),
  );
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      part,
      tie('tree').map((x) => `(${x})`),
      fc
        .tuple(
          fc.constantFrom('*', '&', '-', '!', '~', 'sizeof ', '(char)', '(node_t *)', '{long}', '(long *)', '++'),
          tie('tree'),
        )
        .map((x) => x.join('')),
      fc
        .tuple(tie('tree'), fc.constantFrom('.value', '->next', '.tag', '.high', '[1]', '[-1]', '@2', '++'))
        .map((x) => x.join('')),
      fc
        .tuple(tie('tree'), fc.constantFrom(...'+ - * / % << >> < == && || , = += & ^ @'.split(' ')), tie('tree'))
        .map((x) => x.join(' ')),
    ),
  }));

  test('and shows what it gives', async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (source) => {
        const context = guest();
        try {
          const value = await expressions.evaluate(source, context);
          const { children } = await expressions.format(value, context);
          for (const child of await expressions.children(value, context, 0, Math.min(children, 5))) {
            await expressions.format(child.value, context);
          }
        } catch (error) {
          assert.ok(error instanceof ExpressionError, `${source}: ${(error as Error).stack}`);
          assert.ok(error.column >= 0 && error.column <= source.length);
          // The guest's own refusal of a write is passed on; anything else behind an error is a defect.
          const cause = error.cause as Error | undefined;
          assert.match(cause?.message ?? 'none', /^(none|Cannot access memory)/, `${source}: ${cause?.stack}`);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('long ones too', async () => {
    for (const operator of ['+', ',', '?1:', '=', '->next->', '@']) {
      const source = Array.from({ length: 400 }, () => '1').join(operator);
      await expressions.evaluate(source, guest()).catch((error) => assert.ok(error instanceof ExpressionError));
    }
    assert.equal(await show(`p${'->next'.repeat(300)}->value`), '-5');
    assert.equal(await show(Array.from({ length: 300 }, () => '1').join('+')), '300');
  });
});
