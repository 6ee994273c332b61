import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ReadMemory, SymbolIndex } from './api.ts';
import { ElfFile } from './elf.ts';
import { run, scratch } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';
import { backtrace } from './unwinder.ts';

const sample = join(__dirname, '../../media/sample/ringside-sample.elf');
const stackTop = 0xffff_ffff_8800_0000n;

/** Memory that holds a stack which grows down to `stackTop - 8 * words.length`, and code. */
function stackOf(
  words: readonly bigint[],
  code: (address: bigint, length: number) => Uint8Array,
): { rsp: bigint; read: ReadMemory } {
  const rsp = stackTop - BigInt(8 * words.length);
  const bytes = Buffer.alloc(8 * words.length);
  for (const [index, word] of words.entries()) bytes.writeBigUInt64LE(word, index * 8);
  const read = async (address: bigint, length: number) => {
    const at = Number(address - rsp);
    return at >= 0 && at < bytes.length ? bytes.subarray(at, at + length) : code(address, length);
  };
  return { rsp, read };
}

const noCode = () => new Uint8Array();

/** An address right after a call of `callee` in `caller`, found in objdump's text. */
function returnAddress(program: string, caller: string, callee: string): bigint {
  const text = run('objdump', ['-d', '--no-show-raw-insn', `--disassemble=${caller}`, program]).split('\n');
  const at = text.findIndex((line) => line.includes(`<${callee}>`) && line.includes('call'));
  return BigInt(`0x${/^\s*([0-9a-f]+):/.exec(text[at + 1] as string)?.[1]}`);
}

const entryOf = (symbols: SymbolIndex, name: string): bigint => symbols.symbolsNamed(name)[0]!.address;

/** The stack at the entry of interrupt_dispatch, called by the common stub for an interrupt of `interrupted`. */
function interruptStack(symbols: SymbolIndex, interrupted: bigint) {
  const saved = Array.from({ length: 15 }, (_, index) => 0x100n + BigInt(index));
  const hardware = [interrupted, 8n, 0x246n, stackTop - 16n, 0x10n];
  // Below what was interrupted at its entry: a word that returns to main, and the end.
  const outer = [returnAddress(sample, 'kernel_main', 'serial_init'), 0n];
  const words = [
    returnAddress(sample, 'interrupt_common', 'interrupt_dispatch'),
    ...saved,
    32n,
    0n,
    ...hardware,
    ...outer,
  ];
  const { rsp, read } = stackOf(words, noCode);
  return { rsp, read, rip: entryOf(symbols, 'interrupt_dispatch') };
}

test('an interrupt is crossed by call frame information', async () => {
  const symbols = await openSymbols(sample);
  const interrupted = entryOf(symbols, 'serial_init');
  const { rsp, read, rip } = interruptStack(symbols, interrupted);
  const registers = new Map([
    ['rsp', rsp],
    ['rip', rip],
    ['rbp', 7n],
    ['cr3', 0x1000n],
  ]);
  const frames = (await backtrace({ symbols, registers, read })).filter(({ inlined }) => !inlined);
  assert.deepEqual(
    frames.slice(0, 4).map(({ symbol, found }) => [symbol?.name, found]),
    [
      ['interrupt_dispatch', 'registers'],
      ['interrupt_common', 'cfi'],
      ['serial_init', 'interrupt-frame'],
      ['kernel_main', 'cfi'],
    ],
  );
  const [, , inner, outer] = frames;
  assert.equal(inner?.pc, interrupted, 'an interrupted frame is looked up at its own address');
  assert.equal(inner?.registers.get('rax'), 0x10en, 'saved first, so the highest');
  assert.equal(inner?.registers.get('rsp'), stackTop - 16n);
  assert.equal(inner?.registers.get('cr3'), 0x1000n);
  assert.equal(outer?.pc, outer!.address - 1n, 'a caller is looked up at its call');
  assert.deepEqual(
    (await backtrace({ symbols, registers, read, start: 1, limit: 2 })).map(({ index, symbol }) => [
      index,
      symbol?.name,
    ]),
    [
      [1, 'interrupt_common'],
      [2, 'serial_init'],
    ],
  );
  assert.deepEqual(symbols.problems, []);
  symbols.close();
});

test('without call frame information the frame that the processor pushed is found', async () => {
  const path = scratch('no-cfi');
  run('objcopy', ['--remove-section=.debug_frame', '--remove-section=.eh_frame', sample, path]);
  const symbols = await openSymbols(path);
  const { rsp, read, rip } = interruptStack(symbols, entryOf(symbols, 'serial_init'));
  const frames = await backtrace({
    symbols,
    registers: new Map([
      ['rsp', rsp],
      ['rip', rip],
      ['rbp', 7n],
    ]),
    read,
  });
  assert.deepEqual(
    frames.slice(0, 3).map(({ symbol, found }) => [symbol?.name, found]),
    [
      ['interrupt_dispatch', 'registers'],
      ['interrupt_common', 'frame-pointer'],
      ['serial_init', 'interrupt-frame'],
    ],
  );
  assert.equal(frames[2]?.registers.get('rsp'), stackTop - 16n);
  symbols.close();
});

test('frame pointers are followed with no symbols at all, and never in circles', async () => {
  const base = stackTop - 8n * 8n;
  const words = [1n, 2n, base + 32n, 0x1000_0000n, base + 48n, 0x2000_0000n, base + 16n, 0x3000_0000n];
  const { rsp, read } = stackOf(words, noCode);
  const registers = new Map([
    ['rip', 0x4000_0000n],
    ['rsp', rsp],
    ['rbp', base + 16n],
  ]);
  const frames = await backtrace({ symbols: undefined, registers, read });
  assert.deepEqual(
    frames.map(({ address, found }) => [address, found]),
    [
      [0x4000_0000n, 'registers'],
      [0x1000_0000n, 'frame-pointer'],
      [0x2000_0000n, 'frame-pointer'],
    ],
  );
});

test('the last resort takes only what follows a call', async () => {
  const path = scratch('no-cfi-2');
  run('objcopy', ['--remove-section=.debug_frame', '--remove-section=.eh_frame', sample, path]);
  const symbols = await openSymbols(path);
  const code = run('objdump', ['-d', '--no-show-raw-insn', '--disassemble=serial_init', path]);
  const middle = BigInt(`0x${[...code.matchAll(/^\s*([0-9a-f]+):/gm)][6]?.[1]}`);
  const caller = returnAddress(path, 'kernel_main', 'serial_init');
  const image = ElfFile.open(path);
  const { rsp, read } = stackOf([5n, entryOf(symbols, 'kernel_main'), caller, 0n], (address, length) =>
    image.load(address, length),
  );
  const frames = (
    await backtrace({
      symbols,
      registers: new Map([
        ['rip', middle],
        ['rsp', rsp],
        ['rbp', 3n],
      ]),
      read,
    })
  ).filter(({ inlined }) => !inlined);
  assert.deepEqual(
    frames.slice(0, 2).map(({ address, found }) => [address, found]),
    [
      [middle, 'registers'],
      [caller, 'return-address'],
    ],
  );
  image.close();
  symbols.close();
});

test('who called where nothing is comes before what looks like an interrupt', async () => {
  const symbols = await openSymbols(sample);
  const image = ElfFile.open(sample);
  const caller = returnAddress(sample, 'kernel_main', 'serial_init');
  const hardware = [entryOf(symbols, 'serial_init'), 8n, 0x246n, stackTop - 16n, 0x10n];
  const { rsp, read } = stackOf([caller, ...hardware], (address, length) => image.load(address, length));
  for (const rip of [0n, 0xffff_ffff_0000_0000n]) {
    const registers = new Map([...Object.entries({ rip, rsp, rbp: 7n, rbx: 5n, rcx: 6n })]);
    const [inner, outer] = (await backtrace({ symbols, registers, read })).filter(({ inlined }) => !inlined);
    assert.deepEqual([inner?.address, inner?.found], [rip, 'registers']);
    assert.deepEqual([outer?.address, outer?.found], [caller, 'return-address']);
    assert.deepEqual(
      ['rsp', 'rbp', 'rbx', 'rcx'].map((name) => outer?.registers.get(name)),
      [rsp + 8n, 7n, 5n, undefined],
    );
  }
  image.close();
  symbols.close();
});

test('unreadable memory and missing registers end a stack', async () => {
  const symbols = await openSymbols(sample);
  const rip = entryOf(symbols, 'kernel_main');
  const read = async () => new Uint8Array();
  assert.equal(
    (
      await backtrace({
        symbols,
        registers: new Map([
          ['rip', rip],
          ['rsp', 8n],
        ]),
        read,
      })
    ).length,
    1,
  );
  assert.equal((await backtrace({ symbols, registers: new Map([['rip', rip]]), read })).length, 1);
  assert.deepEqual(await backtrace({ symbols, registers: new Map(), read }), []);
  symbols.close();
});
