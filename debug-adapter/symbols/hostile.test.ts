import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SymbolFileError, type SymbolIndex, type Type } from './api.ts';
import { ElfFile } from './elf.ts';
import { allocationsOf } from './fixtures/allocations.ts';
import { damaged } from './fixtures/damage.ts';
import { build, nameOf, scratch, type Variant } from './fixtures/toolchain.ts';
import { openSymbols } from './symbols.ts';
import { backtrace } from './unwinder.ts';

const names = [
  'run',
  'recursive',
  'middle',
  'leaf',
  'walk',
  'clamp',
  'second_entry',
  'assembly_add',
  'head',
  'counter',
];
const registers = new Map(
  'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15'
    .split(' ')
    .map((name, index) => [name, 0x1000n * BigInt(index + 1)]),
);
const read = async (address: bigint, length: number) =>
  new Uint8Array(Math.min(length, 4096)).fill(Number(address & 0x7fn));

function touchType(type: Type, depth: number): number {
  if (depth > 4) return 0;
  switch (type.kind) {
    case 'struct':
    case 'union':
    case 'class':
      return type.members.reduce((sum, member) => sum + touchType(member.type, depth + 1), type.size);
    case 'array':
      return touchType(type.element, depth + 1);
    case 'function':
      return type.parameters.length + touchType(type.returns, depth + 1);
    case 'enum':
      return type.enumerators.length;
    case 'void':
    case 'base':
      return 1;
    default:
      return touchType(type.target, depth + 1);
  }
}

/** Asks everything that the adapter asks. */
async function touchEverything(symbols: SymbolIndex, addresses: readonly bigint[]): Promise<void> {
  for (const source of symbols.sources().slice(0, 8)) {
    for (const line of (await symbols.linesWithCode(source, 1, 200)).slice(0, 8)) await symbols.placesFor(source, line);
  }
  for (const name of names) {
    symbols.symbolsNamed(name);
    await symbols.placesForFunction(name);
    for (const variable of symbols.globals(name)) {
      touchType(variable.type, 0);
      await symbols.locate(variable, { pc: 0n, registers, read });
    }
  }
  for (const name of ['node', 'packed', 'completed_elsewhere']) {
    const type = symbols.typeNamed(name, 'struct');
    if (type) touchType(type, 0);
  }
  symbols.enumerator('BLUE');
  symbols.namesWithPrefix('', 100);
  for (const pc of addresses) {
    symbols.symbolAt(pc);
    symbols.lineAt(pc);
    const frames = await backtrace({ symbols, registers: new Map([...registers, ['rip', pc]]), read, limit: 20 });
    for (const frame of frames.slice(0, 4)) {
      for (const variable of symbols.variablesAt(frame.pc, frame.level)) {
        touchType(variable.type, 0);
        await symbols.locate(variable, frame);
      }
    }
  }
}

const variants: readonly Variant[] = [
  { compiler: 'gcc', optimisation: 2, dwarf: 5, kernel: true },
  { compiler: 'gcc', optimisation: 1, dwarf: 4, flags: ['-fdebug-types-section'] },
  { compiler: 'clang', optimisation: 2, dwarf: 5 },
  { compiler: 'gcc', optimisation: 1, dwarf: 5, flags: ['-gz=zlib'] },
];
const rounds = 600;
/** One damaged file is a few KiB; seconds would mean work that its bytes chose. */
const longest = 5000;
/** Bytes: what is read in pieces of a fixed size, and not what a damaged number asks for. */
const largestBuffer = 1 << 20;
/** Bytes, of garbage for the most part. */
const mostGrowth = 256 << 20;

describe('damaged files end in an error or an answer', () => {
  for (const variant of variants) {
    test(nameOf(variant), async () => {
      const program = build(variant);
      const whole = readFileSync(program);
      const elf = ElfFile.open(program);
      const code = elf.sections.filter((section) => section.flags & 4);
      const addresses = code.flatMap(({ address, size }) => [0, 8, 40, size - 1].map((at) => address + BigInt(at)));
      // Half of the damage goes where the parsers look: everything behind the loaded parts, and the headers.
      const debug = elf.sections.filter((section) => section.name.startsWith('.debug') || section.name === '.eh_frame');
      elf.close();
      const path = scratch('damaged');
      const { largest, growth } = await allocationsOf(async () => {
        for (let round = 0; round < rounds; round++) {
          writeFileSync(path, damaged(whole, debug, round + 1));
          const start = performance.now();
          try {
            const symbols = await openSymbols(path);
            await touchEverything(symbols, addresses);
            symbols.close();
          } catch (error) {
            if (!(error instanceof SymbolFileError)) throw new Error(`round ${round}`, { cause: error });
          }
          assert.ok(performance.now() - start < longest, `round ${round} took too long`);
        }
      });
      assert.ok(largest <= largestBuffer, `${largest} bytes were asked for at once`);
      assert.ok(growth <= mostGrowth, `memory grew by ${growth} bytes`);
    });
  }
});

describe('files that are no kernels', () => {
  const cases: [string, Uint8Array | string, RegExp][] = [
    ['empty', '', /not an ELF file/],
    ['text', 'int main(void) { return 0; }\n'.repeat(10), /not an ELF file/],
    ['magic-only', '\x7fELF', /not an ELF file/],
  ];
  for (const [name, content, message] of cases) {
    test(name, async () => {
      const path = scratch(name);
      writeFileSync(path, content);
      await assert.rejects(
        openSymbols(path),
        (error) => error instanceof SymbolFileError && message.test(error.message),
      );
    });
  }

  test('another machine, and a truncated file', async () => {
    const bytes = readFileSync(build(variants[0]!));
    const path = scratch('changed');
    bytes.writeUInt16LE(183, 18);
    writeFileSync(path, bytes);
    await assert.rejects(openSymbols(path), /another processor \(e_machine 183\)/);
    bytes.writeUInt16LE(62, 18);
    writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
    await assert.rejects(openSymbols(path), /is truncated/);
  });

  test('no such file, and a directory', async () => {
    await assert.rejects(openSymbols(scratch('missing')), /ENOENT/);
    await assert.rejects(openSymbols('/'), SymbolFileError);
  });
});
