import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LogFeed } from './log-feed.ts';
import type { FromLog, LogMessage } from './log-messages.ts';
import { LogModel, type LogOptions, type Run } from './log-model.ts';
import { type Column, type SortOrder, selectRows } from './table.ts';

interface Item {
  readonly name: string;
  readonly size: number;
}

const columns: readonly Column<Run<Item>>[] = [
  { key: 'name', title: 'Name', width: '1fr', text: ({ item }) => item.name },
  { key: 'size', title: 'Size', width: '4em', text: ({ item }) => `${item.size}`, order: ({ item }) => item.size },
];
const options: LogOptions<Item> = { columns, capacity: 1000 };

const settled = async () => {
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
};
const items = (count: number, from = 0): Item[] =>
  Array.from({ length: count }, (_, index) => ({ name: `item ${from + index}`, size: (from + index) % 7 }));
const shown = (model: LogModel<Item>) => model.rows.map(({ item }) => item);

describe('LogModel', () => {
  test('shows what a table of the same rows shows, whatever comes in between', async () => {
    const item = fc.record({ name: fc.constantFrom('out', 'in', 'outer', 'MMIO'), size: fc.nat(4) });
    const step = fc.oneof(
      fc.record({ append: fc.array(item, { maxLength: 30 }) }),
      fc.record({ search: fc.constantFrom('', 'out', '-out', 'in 3', 'mmio') }),
      fc.record({
        sort: fc.option(fc.record({ key: fc.constantFrom('name', 'size'), descending: fc.boolean() }), {
          nil: undefined,
        }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const model = new LogModel(options, () => {});
        const all: Item[] = [];
        let search = '';
        let sort: SortOrder | undefined;
        for (const one of steps) {
          if ('append' in one) {
            all.push(...one.append);
            model.append(one.append);
          } else if ('search' in one) {
            search = one.search;
            model.searchFor(search);
          } else {
            sort = one.sort;
            model.sortBy(sort);
          }
        }
        const plain = all.map((made, at): Run<Item> => ({ item: made, last: made, count: 1, at, lastAt: at }));
        const wanted = selectRows(plain, columns, { search, filters: [], sort }).map(({ item: made }) => made);
        assert.deepEqual(shown(model), wanted);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test('takes 150,000 items in slices, keeps the newest, and loses none of those', async () => {
    let changes = 0;
    const model = new LogModel({ columns, capacity: 100_000 }, () => changes++);
    for (let from = 0; from < 150_000; from += 5000) model.append(items(5000, from));
    assert.ok(model.kept >= 100_000 && model.kept <= 112_500, `${model.kept}`);
    assert.equal(model.rows.at(-1)?.item.name, 'item 149999');
    changes = 0;
    model.searchFor('item 1499');
    assert.ok(model.rows.length < 100, 'the rest comes later');
    await settled();
    const found = items(model.kept, 150_000 - model.kept).filter(({ name }) => name.includes('1499'));
    assert.deepEqual(shown(model), found);
    assert.ok(changes > 20, `${changes} slices`);
    model.searchFor('');
    model.sortBy({ key: 'size', descending: true });
    await settled();
    assert.equal(model.rows.length, model.kept);
    assert.ok(
      model.rows.every(({ item }, index) => index === 0 || item.size <= (model.rows[index - 1]?.item.size ?? 0)),
    );
  });

  test('merges repeats over the border of two batches, and unmerges them', () => {
    const repeats = (before: Item, item: Item) => before.name === item.name;
    const model = new LogModel({ ...options, repeats }, () => {});
    const [a, b] = [
      { name: 'a', size: 1 },
      { name: 'b', size: 2 },
    ];
    model.append([a, a]);
    model.append([a, b, a]);
    assert.deepEqual(
      model.rows.map(({ item, count, at, lastAt }) => [item.name, count, at, lastAt]),
      [
        ['a', 3, 0, 2],
        ['b', 1, 3, 3],
        ['a', 1, 4, 4],
      ],
    );
    model.merge(false);
    assert.equal(model.rows.length, 5);
    model.merge(true);
    model.searchFor('a');
    assert.deepEqual(
      model.rows.map(({ count }) => count),
      [4],
    );
  });
});

describe('LogFeed', () => {
  const feed = () => {
    const sent: LogMessage[] = [];
    const saved: string[] = [];
    const acted: string[] = [];
    const made = new LogFeed<Item>({
      ...options,
      log: 'test',
      summary: (model) => `${model.rows.length}`,
      note: () => 'none so far',
      facts: ({ item }) => [['name', item.name]],
      actions: () => [{ name: 'open', title: 'Open' }],
      act: (action, { item }) => acted.push(`${action} ${item.name}`),
      save: (format, text) => saved.push(`${format} ${text}`),
      send: (message) => sent.push(message),
    });
    const say = (message: Record<string, unknown>) => made.receive({ ...message, log: 'test' } as unknown as FromLog);
    return { made, sent, saved, acted, say, last: () => sent.at(-1) as LogMessage };
  };

  test('sends the rows in sight, and the end while the user looks at it', () => {
    const { made, say, last } = feed();
    say({ kind: 'window', first: 0, count: 10, follow: true });
    assert.equal(last().note, 'none so far');
    made.model.append(items(500));
    assert.deepEqual([last().count, last().first, last().rows.length], [500, 490, 10]);
    say({ kind: 'window', first: 100, count: 10, follow: false });
    made.model.append(items(5, 500));
    assert.deepEqual([last().first, last().rows[0]?.cells[0]], [100, 'item 100']);
    say({ kind: 'window', first: 0, count: 1e9, follow: false });
    assert.equal(last().rows.length, 500, 'no window is larger');
  });

  test('the chosen row stays chosen while others come and go; an action is for it', () => {
    const { made, say, last, acted } = feed();
    made.model.append(items(50));
    say({ kind: 'choose', row: 20 });
    say({ kind: 'sort', key: 'size' });
    assert.deepEqual(last().details?.facts, [['name', 'item 20']]);
    assert.equal(made.model.rows[last().details?.row ?? -1]?.item.name, 'item 20');
    say({ kind: 'act', action: 'open' });
    assert.deepEqual(acted, ['open item 20']);
    say({ kind: 'search', text: 'item 3' });
    assert.equal(last().details, undefined);
    say({ kind: 'search', text: 'nowhere' });
    assert.equal(last().note, 'No row matches. Search for less.');
    say({ kind: 'act', action: 'open' });
    assert.equal(acted.length, 1);
  });

  test('saves what is shown', () => {
    const { made, say, saved } = feed();
    made.model.append(items(30));
    say({ kind: 'search', text: 'item -2' });
    say({ kind: 'sort', key: 'size' });
    say({ kind: 'save', format: 'csv' });
    say({ kind: 'save', format: 'json' });
    const wanted = items(30)
      .filter((item) => !`${item.name} ${item.size}`.includes('2'))
      .sort((one, other) => one.size - other.size);
    const lines = ['name,size', ...wanted.map((item) => `${item.name},${item.size}`), ''];
    assert.equal(saved[0], `csv ${lines.join('\r\n')}`);
    assert.deepEqual(
      JSON.parse((saved[1] ?? '').slice(5)),
      wanted.map(({ name, size }) => ({ name, size: `${size}` })),
    );
  });
});
