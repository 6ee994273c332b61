/** What a target is asked to do at a breakpoint, and what is said of the rest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate } from '../../hypervisor-core/protocol/agent/evaluate.ts';
import { parseProgram } from '../../hypervisor-core/protocol/agent/program.ts';
import { createExpressions } from '../expressions/expressions.ts';
import type { BreakpointPlace } from '../symbols/api.ts';
import { defaultLayout } from '../target/register-layouts.ts';
import type { Target } from '../target/target.ts';
import { isHit, parseHitCondition, type Terms } from './breakpoint-request.ts';
import { ordersFor } from './orders.ts';

const COUNTER = 700;
const expressions = createExpressions();
const place: BreakpointPlace = { address: 0x1000n, line: { file: '', line: 0, column: 0 } };

const ordersOf = (terms: Terms, can: Partial<Target['can']> = {}, counter: number | undefined = COUNTER) => {
  const target = {
    name: 'Bochs',
    registers: defaultLayout(536) ?? [],
    can: { conditions: true, counts: true, ...can },
  };
  const request = { kind: 'function', name: 'f', ...terms } as const;
  return ordersFor({ id: 7, request, counter }, [place], { target: target as Target, symbols: undefined }, expressions);
};

/** Runs an order with rax as given, on variables that stay. */
function run(code: Uint8Array | undefined, rax: bigint, variables = new Map<number, bigint>()) {
  let printed = '';
  const value = evaluate(parseProgram(code ?? assert.fail('no order')), {
    register: (regnum) => (regnum === 0 ? rax : 0n),
    memory: () => new Uint8Array(),
    variable: (index) => variables.get(index) ?? 0n,
    setVariable: (index, to) => void variables.set(index, to),
    print: (text) => {
      printed += text;
    },
  });
  return { value, printed };
}

test('hits are counted where the condition holds, and compared', async () => {
  for (const hitCondition of ['3', '> 2', '>= 2', '< 3', '<= 3', '% 2']) {
    const hits = parseHitCondition(hitCondition);
    const { uses, message } = await ordersOf({ condition: '$rax > 10', hits });
    assert.equal(message, undefined);
    assert.equal(uses[0]?.counts, true);
    const variables = new Map<number, bigint>();
    let met = 0;
    for (const rax of [11n, 5n, 12n, 13n, 0n, 14n, 15n]) {
      const wanted = rax > 10n && isHit(++met, hits);
      assert.equal(run(uses[0]?.condition, rax, variables).value, wanted ? 1n : 0n, `${hitCondition} at ${rax}`);
      assert.equal(variables.get(COUNTER), BigInt(met));
    }
  }
});

test('messages carry the number of their breakpoint', async () => {
  const { uses, message } = await ordersOf({ logMessage: 'rax \\{is} {$rax}, {(char)$rax,x} of 100%' });
  assert.equal(message, undefined);
  assert.equal(run(uses[0]?.command, 300n).printed, 'log point 7: rax {is} 300, 0x2c of 100%\n');
});

test('what is left to the adapter is said, and so is why', async () => {
  const terms: Terms = { condition: '$rax', hits: parseHitCondition('2'), logMessage: '{$rax}' };
  const left = 'evaluated by the debug adapter at each hit:';
  const cases: readonly (readonly [Terms, Partial<Target['can']>, readonly string[], RegExp | undefined])[] = [
    [terms, {}, ['condition', 'counts', 'command'], undefined],
    [terms, { conditions: false }, [], /^The condition, hit count and log message are .*: Bochs evaluates none\.$/],
    [
      terms,
      { counts: false },
      ['condition'],
      /^The hit count and log message are .*: Bochs is not this session's alone/,
    ],
    [
      { ...terms, logMessage: '{$xmm0}' },
      {},
      ['condition', 'counts'],
      /^The log message is .*\$xmm0|^The log message is/,
    ],
    [{ ...terms, condition: '1.5' }, {}, [], /^The condition, hit count and log message are .*floating-point/],
    [{ logMessage: 'größer' }, {}, [], /^The log message is .*ASCII/],
  ];
  for (const [asked, can, orders, words] of cases) {
    const { uses, message } = await ordersOf(asked, can);
    assert.deepEqual(Object.keys(uses[0] ?? {}), orders);
    if (words) assert.match(message ?? '', words);
    else assert.equal(message, undefined);
    if (words) assert.ok(message?.includes(left));
  }
  const { message } = await ordersFor(
    { id: 7, request: { kind: 'data', address: 0n, length: 4, access: 'write', ...terms }, counter: COUNTER },
    [place],
    { target: { can: { conditions: true, counts: true } } as Target, symbols: undefined },
    expressions,
  );
  assert.match(message ?? '', /^The condition, hit count and log message are .*: watchpoints have no conditions\.$/);
});
