import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mentionsIn } from './inline-mentions.ts';

const source = [
  'int count;',
  'static int sum(const struct tree *tree, int count)',
  '{',
  '    int total = count; // count of count',
  '    /* total */ print("total %d", total); tree->total += p.count;',
  '    for (int i = 0; i < count; i++)',
  "        total += i + 'i';",
  '}',
];

const scope = {
  line: 2,
  variables: [
    { name: 'tree', line: 2 },
    { name: 'count', line: 2 },
    { name: 'total', line: 4 },
    { name: 'i', line: 6 },
  ],
};

const said = (first: number, last: number) =>
  mentionsIn((line) => source[line] ?? '', scope, first, last).map(
    ({ name, line, start }) => `${line}:${start} ${name} ${source[line]?.slice(start, start + name.length) === name}`,
  );

test('variables are found by name from where they are in scope', () => {
  assert.deepEqual(said(0, 6), [
    '1:34 tree true',
    '1:44 count true',
    '3:8 total true',
    '3:16 count true',
    '4:34 total true',
    '4:42 tree true',
    '5:13 i true',
    '5:24 count true',
    '6:8 total true',
    '6:17 i true',
  ]);
});

test('only lines that were asked for', () => {
  assert.deepEqual(said(6, 6), ['6:8 total true', '6:17 i true']);
  assert.deepEqual(said(7, 6), []);
});
