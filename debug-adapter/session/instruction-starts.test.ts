/** The sample guest's code, forwards and backwards from its symbols and lines, against objdump. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type OpenSymbols, openSymbols } from '../symbols/symbols.ts';
import { disassemble } from './disassembler.ts';
import { instructionStarts } from './instruction-starts.ts';

const SAMPLE = join(__dirname, '..', '..', 'media', 'sample', 'ringside-sample.elf');

let symbols: OpenSymbols;
let text: { address: bigint; bytes: Uint8Array };
let expected: readonly { address: bigint; length: number }[];

before(async () => {
  symbols = await openSymbols(SAMPLE);
  const listing = spawnSync('objdump', ['-d', '-w', '--insn-width=15', '-j', '.text', SAMPLE], { encoding: 'utf8' });
  assert.equal(listing.status, 0, listing.stderr);
  expected = [...listing.stdout.matchAll(/^\s*([\da-f]+):\t((?:[\da-f]{2} )+)/gm)].map(([, address, bytes]) => ({
    address: BigInt(`0x${address}`),
    length: (bytes ?? '').trim().split(' ').length,
  }));
  text = textSection();
});

after(() => symbols.close());

/** Where readelf says that `.text` is in the file. */
function textSection() {
  const listing = spawnSync('readelf', ['-SW', SAMPLE], { encoding: 'utf8' }).stdout;
  const [, address, offset, size] = /\s\.text\s+PROGBITS\s+([\da-f]+) ([\da-f]+) ([\da-f]+)/.exec(listing) ?? [];
  const [start, length] = [Number.parseInt(offset ?? '', 16), Number.parseInt(size ?? '', 16)];
  return { address: BigInt(`0x${address}`), bytes: readFileSync(SAMPLE).subarray(start, start + length) };
}

const request = (base: bigint, instructionOffset: number, count: number) =>
  disassemble(
    { base, instructionOffset, count, bits: 64, syntax: 'intel' },
    {
      read: async (address, length) => {
        const offset = Number(address - text.address);
        return offset < 0 ? new Uint8Array(0) : text.bytes.subarray(offset, offset + length);
      },
      symbol: () => undefined,
      starts: (low, high) => instructionStarts(symbols, low, high),
    },
  );

describe('the sample guest', () => {
  test('starts are instructions, ascending, and at least one a function', () => {
    const end = text.address + BigInt(text.bytes.length);
    const starts = instructionStarts(symbols, text.address, end);
    const boundaries = new Set(expected.map(({ address }) => address));
    assert.ok(starts.length > 500);
    for (const [index, start] of starts.entries()) {
      assert.ok(boundaries.has(start), start.toString(16));
      assert.ok(index === 0 || start > (starts[index - 1] ?? 0n));
    }
    assert.deepEqual(instructionStarts(undefined, text.address, end), []);
  });

  test('backwards and forwards as objdump', async () => {
    for (let index = 60; index < expected.length - 60; index += 97) {
      const rows = await request(expected[index]!.address, -50, 100);
      assert.deepEqual(
        rows.map(({ address, bytes }) => ({ address, length: bytes.length })),
        expected.slice(index - 50, index + 50),
      );
    }
  });
});
