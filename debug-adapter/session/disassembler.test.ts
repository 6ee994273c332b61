import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type CodeSource, type DisassembleRequest, disassemble, type Row } from './disassembler.ts';

const BASE = 0x401000n;

/** Code that gcc makes of loops, calls, switches, floating point and strings. */
const SOURCE = `
extern int printf(const char *, ...);
struct point { long x, y; double weight; };
static struct point points[16];
int counter;
static long sum(const struct point *p, int n) { long s = 0; for (int i = 0; i < n; i++) s += p[i].x * p[i].y; return s; }
double weigh(int n) { double w = 0; for (int i = 0; i < n; i++) w += points[i].weight / 3; return w; }
int choose(int which) {
  switch (which) { case 0: return counter++; case 1: return -counter; case 2: return counter * 7;
    case 3: return counter / 13; case 4: return counter % 11; case 5: return counter << 3; default: return which ^ 5; }
}
unsigned char mix(const unsigned char *s) { unsigned char h = 0; while (*s) h = (h << 3 | h >> 5) ^ *s++; return h; }
__attribute__((noinline)) void ports(unsigned short port) {
  __asm__ volatile("outb %%al, %%dx; inb %%dx, %%al; cli; sti; hlt; mov %%cr3, %%rax; vmcall; rdmsr; lock incl counter(%%rip)"
                   :: "d"(port) : "rax", "rcx", "memory");
}
int main(void) { ports(3); return printf("%ld %f %d", sum(points, 16), weigh(3), choose(counter)) + mix((void *)"abc"); }
`;

interface Oracle {
  readonly code: Uint8Array;
  readonly lines: readonly { address: bigint; length: number; mnemonic: string }[];
}

function run(command: string, ...args: string[]): string {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(result.status, 0, `${command}: ${result.stderr}`);
  return result.stdout;
}

/** Instructions as objdump lists them: `  401000:\t48 89 e5 \tmov    %rsp,%rbp`. */
function objdump(file: string, ...options: string[]): Oracle['lines'] {
  const text = run('objdump', '-d', '-w', '--insn-width=15', '-M', 'suffix', ...options, file);
  return [...text.matchAll(/^\s*([\da-f]+):\t((?:[\da-f]{2} )+)\s*\t(.*)$/gm)].map(([, address, bytes, rest]) => ({
    address: BigInt(`0x${address}`),
    length: (bytes ?? '').trim().split(' ').length,
    mnemonic: (rest ?? '').trim().split(/\s+/)[0] ?? '',
  }));
}

let folder: string;
const oracles = new Map<string, Oracle>();

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringside-disassembler-'));
  writeFileSync(join(folder, 'code.c'), SOURCE);
  for (const [level, flags] of [
    ['O0', []],
    ['O2', ['-fcf-protection=none']],
    ['O3', ['-mavx2']],
  ] as const) {
    const object = join(folder, `${level}.o`);
    const linked = join(folder, `${level}.elf`);
    run('gcc', '-c', `-${level}`, ...flags, '-fno-pic', '-mcmodel=kernel', '-o', object, join(folder, 'code.c'));
    run(
      'ld',
      '-Ttext',
      `0x${BASE.toString(16)}`,
      '--unresolved-symbols=ignore-all',
      '-e',
      'main',
      '-o',
      linked,
      object,
    );
    run('objcopy', '-O', 'binary', '-j', '.text', linked, join(folder, `${level}.bin`));
    oracles.set(level, { code: readFile(join(folder, `${level}.bin`)), lines: objdump(linked, '-j', '.text') });
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

function readFile(path: string): Uint8Array {
  return spawnSync('cat', [path], { maxBuffer: 1 << 28 }).stdout;
}

/** Memory with one mapped block, as guests have it: short where it ends, nothing where it is not. */
function blockOf(code: Uint8Array, base: bigint, extra: Partial<CodeSource> = {}): CodeSource {
  return {
    read: async (address, length) => {
      const offset = address - base;
      if (offset < 0n || offset >= BigInt(code.length)) return new Uint8Array(0);
      return code.subarray(Number(offset), Number(offset) + length);
    },
    symbol: () => undefined,
    starts: () => [],
    ...extra,
  };
}

const request = (fields: Partial<DisassembleRequest>): DisassembleRequest => ({
  base: BASE,
  instructionOffset: 0,
  count: 10,
  bits: 64,
  syntax: 'intel',
  ...fields,
});

const places = (rows: readonly Row[]) => rows.map(({ address, bytes }) => `${address.toString(16)}+${bytes.length}`);

describe('forwards', () => {
  for (const level of ['O0', 'O2', 'O3']) {
    test(`cuts gcc -${level} code as objdump does, with the same mnemonics`, async () => {
      const { code, lines } = oracles.get(level)!;
      const rows = await disassemble(request({ count: lines.length, syntax: 'att' }), blockOf(code, BASE));
      assert.deepEqual(
        places(rows),
        lines.map(({ address, length }) => `${address.toString(16)}+${length}`),
      );
      for (const [index, row] of rows.entries()) {
        const { mnemonic, address } = lines[index]!;
        assert.ok(sameMnemonic(row.text, mnemonic), `${row.text} at ${address.toString(16)}, objdump says ${mnemonic}`);
      }
    });
  }

  /** objdump was asked for size suffixes; a few instructions have two names. */
  function sameMnemonic(text: string, theirs: string): boolean {
    const aliases: Record<string, string> = { data16: 'nop', cs: 'nop', xchg: 'nop', movabs: 'mov' };
    const forms = (mnemonic: string) => [mnemonic, mnemonic.replace(/[bwlq]$/, ''), aliases[mnemonic]].filter(Boolean);
    return forms(text.split(/\s+/)[0] ?? '').some((form) => forms(theirs).includes(form));
  }

  test('names branch targets and what is addressed relative to RIP', async () => {
    const code = Uint8Array.from([0xe8, 0x10, 0, 0, 0, 0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0xeb, 0xfe, 0xf4]);
    const symbol = (address: bigint) => (address >= BASE ? `start+${address - BASE}` : undefined);
    const rows = await disassemble(request({ count: 4 }), blockOf(code, BASE, { symbol }));
    assert.deepEqual(
      rows.map(({ text }) => text),
      [
        'call 0x401015 <start+21>',
        'mov rax, [rip+0x10]  # 0x40101c <start+28>',
        'jmp short 0x40100c <start+12>',
        'hlt',
      ],
    );
    assert.equal(rows[1]?.symbol, 'start+5');
  });

  test('speaks both syntaxes, and all three widths', async () => {
    const text = async (bytes: number[], fields: Partial<DisassembleRequest>) => {
      const [row] = await disassemble(
        request({ count: 1, ...fields }),
        blockOf(Uint8Array.from(bytes), fields.base ?? BASE),
      );
      return row?.text;
    };
    assert.equal(await text([0x48, 0x89, 0xe5], { syntax: 'att' }), 'mov %rsp,%rbp');
    assert.equal(await text([0x89, 0xe5], { bits: 32 }), 'mov ebp, esp');
    assert.equal(await text([0x89, 0xe5], { bits: 16 }), 'mov bp, sp');
    assert.equal(await text([0x40], { bits: 32 }), 'inc eax');
  });

  test('counts real-mode targets from the code segment', async () => {
    const symbol = (address: bigint) => (address === 0xf0010n ? 'entry' : undefined);
    const source = blockOf(Uint8Array.from([0xeb, 0x0e]), 0xf0000n, { symbol });
    const [row] = await disassemble(request({ base: 0xf0000n, segment: 0xf0000n, bits: 16, count: 1 }), source);
    assert.equal(row?.text, 'jmp short 0x10 <entry>');
  });
});

describe('backwards', () => {
  for (const level of ['O0', 'O2', 'O3']) {
    test(`finds the instructions before every one of gcc -${level}, from its functions' starts`, async () => {
      const { code, lines } = oracles.get(level)!;
      const all = lines.map(({ address }) => address);
      const starts = (low: bigint, high: bigint) => [BASE].filter((address) => address >= low && address < high);
      const source = blockOf(code, BASE, { starts });
      for (let index = 7; index < all.length; index += 11) {
        const rows = await disassemble(request({ base: all[index]!, instructionOffset: -7, count: 9 }), source);
        assert.deepEqual(
          rows.slice(0, all.length - index + 7).map(({ address }) => address),
          all.slice(index - 7, index + 2),
        );
      }
    });
  }

  test('without symbols falls into step before the base', async () => {
    const { code, lines } = oracles.get('O2')!;
    const all = lines.map(({ address }) => address);
    let exact = 0;
    let tried = 0;
    for (let index = 20; index < all.length; index += 7) {
      const rows = await disassemble(
        request({ base: all[index]!, instructionOffset: -3, count: 3 }),
        blockOf(code, BASE),
      );
      tried++;
      if (rows.every(({ address }, row) => address === all[index - 3 + row])) exact++;
    }
    assert.ok(exact / tried > 0.95, `${exact} of ${tried}`);
  });

  test('keeps to a known start that an instruction would run over', async () => {
    // A jump table's byte that looks like the start of a long instruction, then a function.
    const code = Uint8Array.from([0x90, 0x48, 0xb8, 0x55, 0x48, 0x89, 0xe5, 0xc3, 0x90, 0x90, 0x90]);
    const starts = () => [BASE, BASE + 3n];
    const source = blockOf(code, BASE, { starts });
    const rows = await disassemble(request({ base: BASE + 7n, instructionOffset: -4, count: 5 }), source);
    assert.deepEqual(
      rows.map(({ text }) => text),
      ['nop', '.byte 0x48, 0xb8', 'push rbp', 'mov rbp, rsp', 'ret'],
    );
  });
});

describe('where memory ends', () => {
  test('answers exactly as many rows as asked for, filler at both ends', async () => {
    const source = blockOf(Uint8Array.from([0x90, 0x90, 0xc3]), BASE);
    const rows = await disassemble(request({ base: BASE + 1n, instructionOffset: -200, count: 400 }), source);
    assert.equal(rows.length, 400);
    assert.deepEqual(
      rows.filter(({ valid }) => valid).map(({ address }) => address),
      [BASE, BASE + 1n, BASE + 2n],
    );
    assert.equal(rows[200]?.address, BASE + 1n);
    assert.equal(rows[0]?.text, '??');
  });

  test('reads on behind a page that is not mapped', async () => {
    const page = (address: bigint) => address >> 12n;
    const source = blockOf(new Uint8Array(0), 0n, {
      read: async (address, length) => {
        if (page(address) === 0x402n) return new Uint8Array(0);
        const toPageEnd = 4096 - Number(address & 0xfffn);
        return new Uint8Array(Math.min(length, toPageEnd)).fill(0x90);
      },
    });
    const rows = await disassemble(request({ base: 0x401ffen, count: 4100 }), source);
    assert.deepEqual(
      [rows[1], rows[2], rows[4097], rows[4098]].map((row) => [row?.address, row?.valid]),
      [
        [0x401fffn, true],
        [0x402000n, false],
        [0x402fffn, false],
        [0x403000n, true],
      ],
    );
  });

  test('any bytes, base, offset and count give that many rows with ascending addresses', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.integer({ min: -60, max: 210 }),
        fc.integer({ min: -50, max: 50 }),
        fc.integer({ min: 0, max: 80 }),
        fc.constantFrom(16 as const, 32 as const, 64 as const),
        fc.array(fc.integer({ min: 0, max: 220 }), { maxLength: 5 }),
        async (code, base, delta, instructionOffset, count, bits, marks) => {
          const at = BigInt.asUintN(64, base + BigInt(delta));
          const starts = (low: bigint, high: bigint) =>
            [...new Set(marks)]
              .map((mark) => base + BigInt(mark))
              .filter((address) => address >= low && address < high)
              .sort((a, b) => (a < b ? -1 : 1));
          const rows = await disassemble(
            request({ base: at, instructionOffset, count, bits }),
            blockOf(code, base, { starts }),
          );
          assert.equal(rows.length, count);
          const real = rows.filter(({ valid }) => valid);
          for (const [index, row] of real.entries()) {
            assert.ok(row.bytes.length > 0);
            assert.deepEqual(row.bytes, code.slice(Number(row.address - base)).slice(0, row.bytes.length));
            const previous = real[index - 1];
            if (previous) assert.ok(previous.address + BigInt(previous.bytes.length) <= row.address);
          }
          const first = rows[-instructionOffset];
          if (first && instructionOffset <= 0) assert.equal(first.address, at);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('refuses more rows than any view shows', async () => {
    await assert.rejects(disassemble(request({ count: 1e9 }), blockOf(new Uint8Array(0), 0n)), RangeError);
  });
});
