/** Variables of a kernel's functions, beside gdb: in the middle of a function, and as they were when it was called. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ElfFile } from '../../debug-adapter/symbols/elf.ts';
import { type OpenSymbols, openSymbols } from '../../debug-adapter/symbols/symbols.ts';
import { compareLocals, localsByUs } from './compare-locals.ts';
import { STACK, stackBytes } from './gdb-locals.ts';
import { isPadding, sampleFunctions, vmlinux } from './vmlinux.ts';

const FUNCTIONS = 400;
/** Of the calls in these functions, the first of each. */
const CALLERS = 1500;
/** Of those called, what share is looked at wherever it stands. */
const ANYWHERE = 1 / 4;

let symbols: OpenSymbols;
let image: ElfFile;

before(async () => {
  symbols = await openSymbols(vmlinux);
  await symbols.indexed;
  image = ElfFile.open(vmlinux);
});
after(() => {
  symbols.close();
  image.close();
});

/** A stack on which every word is one: whichever the return address is, it is that. */
function filledWith(word: bigint): Buffer {
  const bytes = Buffer.alloc(STACK.size);
  for (let at = 0; at < bytes.length; at += 8) bytes.writeBigUInt64LE(word, at);
  return bytes;
}

const CALL = 0xe8;

interface Called {
  readonly name: string;
  readonly address: bigint;
  readonly size: bigint;
  /** As the caller leaves it. */
  readonly stack: Buffer;
}

/** Functions that others of the kernel call. */
function calledFunctions(): readonly Called[] {
  const functions = sampleFunctions(vmlinux, Number.POSITIVE_INFINITY).filter(({ name }) => !isPadding(name));
  const byAddress = new Map(functions.map((each) => [each.address, each]));
  return functions.slice(0, CALLERS).flatMap(({ address, size }) => {
    const code = Buffer.from(image.load(address, Number(size)));
    for (let at = 0; at + 5 <= code.length; at++) {
      if (code[at] !== CALL) continue;
      const returnsTo = address + BigInt(at + 5);
      const callee = byAddress.get(returnsTo + BigInt(code.readInt32LE(at + 1)));
      if (callee) return [{ ...callee, stack: filledWith(returnsTo) }];
    }
    return [];
  });
}

/** How many variables have a value at `rip` that they do not have without the caller. */
async function byEntry({ stack }: Called, rip: bigint): Promise<number> {
  const alone = await localsByUs(symbols, image, { rip, stack: stackBytes() });
  const called = await localsByUs(symbols, image, { rip, stack });
  return [...called].filter(([name, value]) => value?.startsWith('is ') && alone.get(name) === 'optimized-out').length;
}

describe('variables of functions of a kernel', () => {
  test(`are where gdb finds them, in the middle of ${FUNCTIONS} functions`, async () => {
    const stack = stackBytes();
    const places = sampleFunctions(vmlinux, 2 * FUNCTIONS)
      .filter(({ name }) => !isPadding(name))
      .slice(0, FUNCTIONS)
      .map(({ name, address, size }) => ({ name, rip: address + size / 2n, stack }));
    const { differences, compared, elsewhere, more } = await compareLocals(symbols, image, places);
    assert.deepEqual(differences, []);
    assert.ok(elsewhere <= 3 && more <= 5, `${elsewhere}, ${more} of ${compared}`);
    assert.ok(compared > FUNCTIONS, `${compared}`);
  });

  test('are what gdb says that their callers passed, where they are gone', async () => {
    const functions = calledFunctions();
    const places: (Called & { rip: bigint })[] = [];
    let gone = 0;
    for (const [index, called] of functions.entries()) {
      const ways = [5n, 6n, 7n].map((eighths) => called.address + (called.size * eighths) / 8n);
      const counts = await Promise.all(ways.map((rip) => byEntry(called, rip)));
      const most = Math.max(...counts);
      gone += most;
      if (most > 0 || index < functions.length * ANYWHERE)
        places.push({ ...called, rip: ways[counts.indexOf(most)] ?? called.address });
    }
    const { differences, compared, elsewhere, more } = await compareLocals(symbols, image, places);
    assert.deepEqual(differences, []);
    assert.ok(elsewhere <= 3 && more <= 5, `${elsewhere}, ${more} of ${compared}`);
    assert.ok(gone >= 20, `only ${gone} by entry values`);
  });
});
