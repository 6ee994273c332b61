import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SymbolIndex } from './api.ts';
import { build } from './fixtures/toolchain.ts';
import { kernelSlide } from './kernel-slide.ts';
import { openSymbols } from './symbols.ts';

const program = build({ compiler: 'gcc', optimisation: 1, dwarf: 5, kernel: true });
const slide = 0x1e00_0000n;
const noMemory = async () => new Uint8Array();

test('an image that was moved is the same image elsewhere', async () => {
  const [still, moved] = [await openSymbols(program), await openSymbols(program)];
  moved.moveBy(slide);
  const at = still.symbolsNamed('run')[0]!.address;
  assert.equal(moved.symbolsNamed('run')[0]?.address, at + slide);
  assert.equal(moved.symbolAt(at + slide)?.name, 'run');
  assert.equal(moved.entry, still.entry + slide);
  const line = still.lineAt(at)!;
  assert.deepEqual(moved.lineAt(at + slide), { ...line, low: line.low + slide, high: line.high + slide });
  const placed = (await still.placesForFunction('middle')).map((place) => ({
    ...place,
    address: place.address + slide,
  }));
  assert.deepEqual(await moved.placesForFunction('middle'), placed);
  const frame = { pc: at + slide, registers: new Map<string, bigint>(), read: noMemory };
  assert.deepEqual(await moved.locate(moved.globals('counter')[0]!, frame), {
    kind: 'memory',
    address: still.symbolsNamed('counter')[0]!.address + slide,
  });
  for (const symbols of [still, moved]) symbols.close();
});

/** A kernel of which only entry points are known. */
const kernel = (names: Readonly<Record<string, bigint>>) =>
  ({
    symbolsNamed: (name: string) => (name in names ? [{ name, address: names[name] }] : []),
  }) as unknown as SymbolIndex;

describe('the slide of a kernel', () => {
  const systemCall = 0xffff_ffff_81a0_0080n;
  const pageFault = 0xffff_ffff_81a0_0b30n;
  const symbols = kernel({ entry_SYSCALL_64: systemCall, asm_exc_page_fault: pageFault });
  const idtBase = 0xffff_fe00_0000_0000n;
  /** Memory with one gate, for page faults. */
  const table = (target: bigint) => async (address: bigint, length: number) => {
    const gate = Buffer.alloc(length);
    if (address !== idtBase + 14n * 16n) return gate;
    gate.writeUInt16LE(Number(target & 0xffffn), 0);
    gate.writeUInt16LE(0x8e00, 4);
    gate.writeUInt16LE(Number((target >> 16n) & 0xffffn), 6);
    gate.writeUInt32LE(Number(target >> 32n), 8);
    return gate;
  };

  test('by the page fault handler, by the system call entry, and by both', async () => {
    const read = table(pageFault + slide);
    assert.equal(await kernelSlide(symbols, { idtBase, read }), slide);
    assert.equal(await kernelSlide(symbols, { lstar: systemCall + slide, read }), slide);
    assert.equal(await kernelSlide(symbols, { idtBase, lstar: systemCall + slide, read }), slide);
    assert.equal(await kernelSlide(symbols, { lstar: systemCall, read }), 0n);
  });

  test('by the table itself, before its handlers are there', async () => {
    const early = kernel({ idt_table: idtBase - slide, asm_exc_page_fault: pageFault });
    assert.equal(await kernelSlide(early, { idtBase, read: table(0xffff_ffff_9f00_0240n) }), slide);
    // The decompressor's table, far below the kernel.
    assert.equal(await kernelSlide(early, { idtBase: idtBase - (1n << 40n), read: noMemory }), undefined);
  });

  test('is not guessed', async () => {
    assert.equal(await kernelSlide(symbols, { read: noMemory }), undefined);
    assert.equal(await kernelSlide(symbols, { idtBase, lstar: 0n, read: noMemory }), undefined);
    assert.equal(await kernelSlide(symbols, { lstar: systemCall + 0x1000n, read: noMemory }), undefined);
    assert.equal(await kernelSlide(symbols, { idtBase, lstar: systemCall, read: table(pageFault + slide) }), undefined);
    assert.equal(await kernelSlide(kernel({}), { lstar: systemCall, read: noMemory }), undefined);
  });
});
