import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Type } from '../symbols/api.ts';
import { createExpressions } from './expressions.ts';
import { fakeContext } from './fake-context.ts';
import { builtinType, modelOf } from './types.ts';

const int = builtinType(['int'], modelOf(undefined))!;
const inner: Type = {
  kind: 'struct',
  name: 'inner',
  size: 8,
  declaration: false,
  members: [
    { name: 'width', type: int, offset: 0 },
    { name: 'weight', type: int, offset: 4 },
  ],
};
const outer: Type = {
  kind: 'struct',
  name: 'outer',
  size: 16,
  declaration: false,
  members: [
    { name: 'first', type: inner, offset: 0 },
    { name: 'list', type: { kind: 'array', element: inner, count: 1 }, offset: 8 },
  ],
};
const context = fakeContext({
  variables: {
    box: { type: outer, place: { kind: 'memory', address: 0x1000n } },
    boxes: { type: { kind: 'pointer', size: 8, target: outer }, place: { kind: 'value', bytes: new Uint8Array(8) } },
  },
  types: { 'struct inner': inner },
  symbols: [{ name: 'boxing_day', address: 0x2000n, size: 4n, kind: 'object', global: true }],
  registers: { rax: new Uint8Array(8), rip: new Uint8Array(8) },
});
const expressions = createExpressions();

/** Completions at the `|` of a text. */
async function at(marked: string) {
  const column = marked.indexOf('|');
  const text = marked.replace('|', '');
  const { start, completions } = await expressions.complete(text, column, context, 50);
  return { word: text.slice(start, column), names: completions.map(({ name }) => name) };
}

describe('completion', () => {
  const offers = (marked: string, word: string, names: readonly string[]) =>
    test(marked, async () => assert.deepEqual(await at(marked), { word, names }));
  offers('bo|', 'bo', ['box', 'boxes', 'boxing_day']);
  offers('1 + boxi| + 2', 'boxi', ['boxing_day']);
  offers('|', '', ['box', 'boxes']);
  offers('$ra|', '$ra', ['$rax']);
  offers('$e|', '$e', ['$eax', '$eip']);
  offers('box.|', '', ['first', 'list']);
  offers('box.f|', 'f', ['first']);
  offers('boxes->first.w|', 'w', ['width', 'weight']);
  offers('2 * boxes[3].list[1 + 2].we|', 'we', ['weight']);
  offers('(*boxes).first . wi|', 'wi', ['width']);
  offers('((struct inner *)$rax)->|', '', ['width', 'weight']);
  offers('box.first.width.|', '', []);
  offers('nobody->|', '', []);
  offers('12|', '12', []);
  offers('"text.|', '', []);

  test('any text and column', async () => {
    const piece = fc.constantFrom('box', 'boxes', '.', '->', '[', ']', '(', ')', '1', '$ra', '::', "'", '"', ' ', '*');
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.integer({ min: -3, max: 80 }), async (pieces, column) => {
        const { start, completions } = await expressions.complete(pieces.join(''), column, context, 3);
        assert.ok(start >= 0 && completions.length <= 3);
      }),
      { numRuns: 2000 },
    );
  });
});
