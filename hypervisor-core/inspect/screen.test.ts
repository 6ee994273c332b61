/** What a client is told of the picture: all of it once, then what changes, in answers of a bounded size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateSync } from 'node:zlib';
import type { Screen } from '../protocol/inspect.ts';
import { ScreenReader } from './screen.ts';

const START = 0xc000_0000n;

/** A client beside the framebuffer: what it has been told, as it would draw it. */
function client(screen: Screen) {
  const memory = Buffer.alloc(screen.stride * screen.height);
  const picture = Buffer.alloc(memory.length, 0xee);
  let reads = 0;
  const reader = new ScreenReader(
    {
      read: (gpa, length) => {
        reads++;
        return Uint8Array.prototype.slice.call(memory, Number(gpa - START), Number(gpa - START) + length);
      },
    },
    START,
    screen,
  );
  let version = 0;
  /** Asks once, and gives the rows that came. */
  const ask = async (known = version) => {
    const answer = await reader.changes(known);
    const bytes = answer.data === '' ? Buffer.alloc(0) : inflateSync(Buffer.from(answer.data, 'base64'));
    let at = 0;
    for (const { first, count } of answer.rows) {
      at += bytes.copy(picture, first * screen.stride, at, at + count * screen.stride);
    }
    assert.equal(at, bytes.length);
    version = answer.version;
    return answer;
  };
  return { memory, picture, ask, reader, reads: () => reads };
}

const small: Screen = { width: 64, height: 100, stride: 256, format: 'XRGB8888' };
/** 16 MiB: more than one answer holds. */
const large: Screen = { width: 2048, height: 2048, stride: 8192, format: 'XRGB8888' };

test('all of the picture once, then the rows that changed', async () => {
  const { memory, picture, ask } = client(small);
  memory.fill('picture');
  const first = await ask();
  assert.deepEqual([first.screen, first.rows, first.more], [small, [{ first: 0, count: 100 }], false]);
  assert.deepEqual(picture, memory);
  const none = await ask();
  assert.deepEqual([none.rows, none.data, none.version], [[], '', first.version]);
  for (const row of [3, 4, 99]) memory[row * small.stride + 255] = 1;
  const { rows } = await ask();
  assert.deepEqual(rows, [
    { first: 3, count: 2 },
    { first: 99, count: 1 },
  ]);
  assert.deepEqual(picture, memory);
});

test('all of it again for whoever has something else', async () => {
  const { ask } = client(small);
  const { version } = await ask();
  assert.deepEqual((await ask(version + 1)).rows, [{ first: 0, count: 100 }]);
  assert.deepEqual((await ask(0)).rows, [{ first: 0, count: 100 }]);
});

test('in several answers where one would be too long, also of rows that never rest', async () => {
  const { memory, picture, ask, reads } = client(large);
  memory.fill('something long');
  let answers = 0;
  for (let more = true; more && answers < 9; answers++) {
    // The first rows are drawn on all the time.
    memory.fill(answers, 0, 700 * large.stride);
    const answer = await ask();
    more = answer.more;
    const told = answer.rows.reduce((sum, { count }) => sum + count * large.stride, 0);
    assert.ok(told <= 1 << 22, `${told} bytes`);
  }
  assert.equal(answers, 4);
  assert.ok(reads() >= 64, 'it is read in slices');
  assert.deepEqual(picture.subarray(700 * large.stride), memory.subarray(700 * large.stride));
  assert.deepEqual((await ask()).rows, [{ first: 0, count: 512 }]);
  assert.deepEqual((await ask()).rows, [{ first: 512, count: 188 }]);
  assert.deepEqual(picture, memory);
});

test('questions that come together are answered one after the other', async () => {
  const { reader } = client(small);
  const [one, two] = await Promise.all([reader.changes(0), reader.changes(1)]);
  assert.deepEqual([one.rows.length, two.rows.length], [1, 0]);
});

test('no machine without a framebuffer has a picture', () => {
  const memory = { size: 0, read: () => new Uint8Array(), write: () => 0, host: () => undefined };
  const region = { start: '0xc0000000', end: '0xc0010000', kind: 'framebuffer', name: 'f' } as const;
  assert.equal(ScreenReader.of(memory, { regions: [region], ports: [] }), undefined);
  assert.ok(ScreenReader.of(memory, { regions: [{ ...region, screen: small }], ports: [] }));
});
