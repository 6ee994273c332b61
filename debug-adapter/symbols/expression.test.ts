import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ExpressionContext, evaluateLocation, evaluateNumber, Unavailable } from './expression.ts';

const context: ExpressionContext = {
  addressSize: 8,
  offsetSize: 4,
  read: async (address, length) =>
    Uint8Array.from({ length: address === 0xbadn ? 0 : length }, (_, index) => Number(address & 0xffn) + index),
  register: (number) => (number < 16 ? BigInt(number) * 0x100n : undefined),
  registerName: (number) => (number < 17 ? `r${number}` : undefined),
  frameBase: async () => 0xf000n,
  callFrameAddress: async () => 0xcfa0n,
  entryValue: async (of) => (typeof of === 'number' ? 0xee00n + BigInt(of) : BigInt(of.length) + 0xe000n),
  imageAddress: (address) => address,
  indexedAddress: (index) => 0xadd0n + BigInt(index),
  baseType: (offset) =>
    offset === 1 ? { size: 4, signed: true } : offset === 2 ? { size: 1, signed: false } : undefined,
  procedure: (offset) => (offset === 5 ? Uint8Array.of(0x35) : undefined),
};

/** Programs by the standard's own description of each operation (DWARF 5, 2.5.1). */
const numbers: [string, number[], bigint][] = [
  ['const1u', [0x08, 0xff], 255n],
  ['const1s wraps to a word', [0x09, 0xff], 0xffff_ffff_ffff_ffffn],
  ['const8u', [0x0e, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12], 0x1234_5678_9abc_def0n],
  ['consts', [0x11, 0x7f], 0xffff_ffff_ffff_ffffn],
  ['breg with offset', [0x77, 0x78], 0x6f8n],
  ['bregx', [0x92, 7, 8], 0x708n],
  ['fbreg', [0x91, 0x70], 0xeff0n],
  ['call_frame_cfa', [0x9c], 0xcfa0n],
  ['dup, plus', [0x35, 0x12, 0x22], 10n],
  ['over, minus', [0x35, 0x33, 0x14, 0x1c], 0xffff_ffff_ffff_fffen],
  ['rot: the second comes to the top, the third below it', [0x31, 0x32, 0x33, 0x17, 0x13], 1n],
  ['swap, minus', [0x33, 0x35, 0x16, 0x1c], 2n],
  ['pick', [0x31, 0x32, 0x33, 0x15, 2], 1n],
  ['div is signed', [0x09, 0xf8, 0x32, 0x1b], 0xffff_ffff_ffff_fffcn],
  ['mod is unsigned', [0x09, 0xff, 0x3a, 0x1d], 5n],
  ['shr is logical', [0x09, 0xff, 0x08, 60, 0x25], 15n],
  ['shra is arithmetic', [0x09, 0xf0, 0x34, 0x26], 0xffff_ffff_ffff_ffffn],
  ['comparison is signed', [0x09, 0xff, 0x30, 0x2d], 1n],
  ['plus_uconst', [0x35, 0x23, 0x80, 0x01], 133n],
  ['bra taken', [0x31, 0x28, 2, 0, 0x08, 9, 0x37], 7n],
  ['skip', [0x2f, 1, 0, 0x39, 0x32], 2n],
  ['deref', [0x08, 0x10, 0x06], 0x1716_1514_1312_1110n],
  ['deref_size', [0x08, 0x10, 0x94, 2], 0x1110n],
  ['entry_value', [0xa3, 1, 0x55], 0xe001n],
  ['GNU_parameter_ref', [0xfa, 0x34, 0x12, 0, 0], 0x10034n],
  ['addrx', [0xa1, 3], 0xadd3n],
  ['call4', [0x99, 5, 0, 0, 0], 5n],
  ['convert to a narrow type truncates', [0x0a, 0xff, 0x01, 0xa8, 2], 255n],
  ['convert keeps the sign', [0x0c, 0xff, 0xff, 0xff, 0xff, 0xa8, 1, 0xa8, 0], 0xffff_ffff_ffff_ffffn],
  ['const_type', [0xa4, 2, 1, 0x80, 0xa8, 0], 0x80n],
  ['stack_value', [0x35, 0x9f], 5n],
];

describe('DWARF operations', () => {
  for (const [name, program, expected] of numbers)
    test(name, async () => assert.equal(await evaluateNumber(Uint8Array.from(program), context), expected));

  test('initial stack', async () =>
    assert.equal(await evaluateNumber(Uint8Array.of(0x23, 8), context, [0x10n]), 0x18n));
});

describe('DWARF locations', () => {
  const locate = (...program: number[]) => evaluateLocation(Uint8Array.from(program), context);

  test('memory, register, values', async () => {
    assert.deepEqual(await locate(0x03, 1, 0, 0, 0, 0, 0, 0, 0x80), {
      kind: 'memory',
      address: 0x8000_0000_0000_0001n,
    });
    assert.deepEqual(await locate(0x53), { kind: 'register', name: 'r3' });
    assert.deepEqual(await locate(0x9e, 2, 7, 8), { kind: 'value', bytes: Uint8Array.of(7, 8) });
    assert.deepEqual(await locate(), { kind: 'optimized-out' });
  });

  test('pieces', async () => {
    assert.deepEqual(await locate(0x50, 0x93, 4, 0x93, 4, 0x91, 0, 0x93, 8), {
      kind: 'pieces',
      pieces: [
        { place: { kind: 'register', name: 'r0' }, size: 4 },
        { place: { kind: 'optimized-out' }, size: 4 },
        { place: { kind: 'memory', address: 0xf000n }, size: 8 },
      ],
    });
  });

  test('what cannot be known is unavailable', async () => {
    for (const program of [
      [0x92, 20, 0],
      [0x90, 40],
      [0x0a, 0xad, 0x0b, 0x06],
      [0xf2, 0, 0, 0, 0, 0],
    ])
      await assert.rejects(locate(...program), Unavailable);
  });

  test('damaged programs are refused', async () => {
    for (const program of [[0x22], [0x31, 0x30, 0x1b], [0x2f, 0xfd, 0xff], [0x28], [0x03, 1], [0xff], [0x31, 0x15, 9]])
      await assert.rejects(locate(...program), /location expression, offset/);
  });
});
