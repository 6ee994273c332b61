import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Place, Type, VariableInfo } from '../../debug-adapter/symbols/api.ts';
import { ElfFile } from '../../debug-adapter/symbols/elf.ts';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { localsInGdb, REGISTERS, STACK, stackBytes } from './gdb-locals.ts';
import { isPadding, sampleFunctions, vmlinux } from './vmlinux.ts';

const FUNCTIONS = 400;

let symbols: OpenSymbols;
let image: ElfFile;
const stack = stackBytes();

before(async () => {
  symbols = await openSymbols(vmlinux);
  await symbols.indexed;
  image = ElfFile.open(vmlinux);
});
after(() => {
  symbols.close();
  image.close();
});

async function read(address: bigint, length: number): Promise<Uint8Array> {
  const at = Number(address - STACK.low);
  return at >= 0 && at < stack.length ? stack.subarray(at, at + length) : image.load(address, length);
}

function sizeOf(type: Type): number {
  if ('target' in type && type.kind !== 'pointer') return sizeOf(type.target);
  return 'size' in type ? type.size : 0;
}

/** As gdb's script has it; undefined for what has no such form: a structure in registers. */
function written(place: Place, type: Type): string | undefined {
  const number = (value: bigint) => `is 0x${BigInt.asUintN(8 * sizeOf(type), value).toString(16)}`;
  switch (place.kind) {
    case 'memory':
      return `at 0x${place.address.toString(16)}`;
    case 'register': {
      const value = REGISTERS.get(place.name);
      return value === undefined ? undefined : number(value);
    }
    case 'value':
      return number(
        BigInt(
          `0x${
            Buffer.from(place.bytes.subarray(0, sizeOf(type)))
              .reverse()
              .toString('hex') || '0'
          }`,
        ),
      );
    case 'optimized-out':
      return 'optimized-out';
    default:
      return undefined;
  }
}

async function ours(variables: readonly VariableInfo[], pc: bigint): Promise<Map<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (const variable of variables) {
    if (found.has(variable.name)) continue;
    const place = await symbols.locate(variable, { pc, registers: new Map([...REGISTERS, ['rip', pc]]), read });
    found.set(variable.name, written(place, variable.type));
  }
  return found;
}

describe(`variables of ${FUNCTIONS} functions of a kernel`, () => {
  test('are where gdb finds them, in the middle of each', async () => {
    const functions = sampleFunctions(vmlinux, 2 * FUNCTIONS)
      .filter(({ name }) => !isPadding(name))
      .slice(0, FUNCTIONS);
    const addresses = functions.map(({ address, size }) => address + size / 2n);
    const theirs = localsInGdb(vmlinux, addresses);
    assert.equal(theirs.length, addresses.length);
    const differences: string[] = [];
    let [compared, elsewhere, more] = [0, 0, 0];
    for (const [index, address] of addresses.entries()) {
      const mine = await ours(symbols.variablesAt(address, 0), address);
      for (const [name, places] of theirs[index] ?? []) {
        const own = mine.get(name);
        const isUnwritten = mine.has(name) && own === undefined;
        if (isUnwritten || places.some((place) => place.startsWith('unknown'))) continue;
        // gdb also lists those of which an inlined copy has nothing, and labels.
        if (!mine.has(name) && places.includes('optimized-out')) continue;
        // A pointer to what is in no memory any more is shown by what it points to, and as a number is 0.
        if (own === 'optimized-out' && places.includes('is 0x0')) continue;
        compared++;
        // A static one of a block that has code elsewhere, which gdb has in all of an inlined copy.
        if (!mine.has(name) && places.every((place) => place.startsWith('at '))) elsewhere++;
        // Of a block without code of its own, whose variables have places all the same, or a constant that gdb does not look at.
        else if (/^(at|is) /.test(own ?? '') && places.every((place) => place === 'optimized-out')) more++;
        else if (own === undefined || !places.includes(own))
          differences.push(`${functions[index]?.name} 0x${address.toString(16)} ${name}: ${own}, not ${places}`);
      }
    }
    assert.deepEqual(differences, []);
    assert.ok(elsewhere <= 3 && more <= 5, `${elsewhere}, ${more} of ${compared}`);
    assert.ok(compared > FUNCTIONS, `${compared}`);
  });
});
