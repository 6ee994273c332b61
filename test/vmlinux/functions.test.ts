import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { answer, sampleFunctions, unlikeElfutils, unlikeGdb, vmlinux } from './vmlinux.ts';

const functions = sampleFunctions(vmlinux, 2000);
const entries = new Set(functions.map(({ address }) => address));
let symbols: OpenSymbols;

before(async () => {
  symbols = await openSymbols(vmlinux);
  await symbols.indexed;
});
after(() => symbols.close());

describe('2,000 functions of a kernel', () => {
  test('addresses and sizes of names, and names of addresses, as nm has them', () => {
    const differences = functions.filter(({ name, address, size }) => {
      const named = symbols.symbolsNamed(name).some((each) => each.address === address && each.size === size);
      return !named || symbols.symbolAt(address + size - 1n)?.address !== address;
    });
    assert.deepEqual(differences, []);
  });

  test('lines of addresses as eu-addr2line has them, or else as gdb has them', () => {
    const addresses = functions.flatMap(({ address, size }) => [address, address + size / 2n]);
    const differences = unlikeElfutils(
      ['-e', vmlinux],
      addresses.map((address) => answer(symbols, address)),
    );
    // Functions that do not begin with a call for tracing have several rows at their first address.
    const within = differences.filter(({ address }) => !entries.has(address));
    assert.ok(within.length < functions.length / 8, `${within.length} differ`);
    assert.deepEqual(unlikeGdb([`file ${vmlinux}`], differences), []);
  });
});
