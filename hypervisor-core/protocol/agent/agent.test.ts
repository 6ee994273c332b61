import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatBreakpointOptions, parseBreakpointOptions } from './breakpoint-options.ts';
import { type AgentContext, evaluate } from './evaluate.ts';
import { formatText } from './format.ts';
import { type Opcode, opcodes, opcodesByCode } from './opcodes.ts';
import { AgentError, parseProgram } from './program.ts';

const nothing: AgentContext = {
  register: () => 0n,
  memory: () => new Uint8Array(),
  variable: () => 0n,
  setVariable: () => {},
  print: () => {},
};

/** gdb's own compiler and evaluator, over a process of its own that stands at its first instruction. */
function gdb(expressions: readonly string[]): { code: Uint8Array; value: bigint; rsp: bigint }[] {
  const commands = expressions.flatMap((text) => [
    `maint agent-eval ${text}`,
    `output/x (unsigned long long)(${text})`,
    'echo \\n',
    'output/x $rsp',
    'echo \\n',
  ]);
  const text = execFileSync(
    'gdb',
    ['-nx', '-batch', ...['starti', ...commands].flatMap((command) => ['-ex', command]), '/bin/true'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const pieces = text.split(/^Scope: .*$/m).slice(1);
  return pieces.map((piece) => {
    const [value = '0', rsp = '0'] = [...piece.matchAll(/^(0x[0-9a-f]+)$/gm)].map(([, digits]) => digits ?? '0');
    return { code: assemble(piece), value: BigInt(value), rsp: BigInt(rsp) };
  });
}

/** The bytes of what `maint agent-eval` lists: offset, name, operand. */
function assemble(listing: string): Uint8Array {
  const lines = [...listing.matchAll(/^ +(\d+) {2}(\w+)(?: (\d+))?$/gm)];
  return Uint8Array.from(
    lines.flatMap(([, , name = '', operand = '0']) => {
      const { code, operand: width } = opcodes[name as Opcode];
      const value = BigInt(operand);
      return [
        code,
        ...Array.from({ length: width }, (_, at) => Number((value >> BigInt(8 * (width - 1 - at))) & 0xffn)),
      ];
    }),
  );
}

describe('what gdb compiles', () => {
  // RBX is 0 at a process's first instruction; with a register in it gdb cannot work an expression out while it compiles.
  const expressions = [
    '(int)$rbx + 1 + 2 * 3 - 4',
    '(char)($rbx + 200) < 0',
    '(unsigned char)($rbx + 200) > 100 && $rbx + 3 != 4',
    '$rbx || ((int)$rbx - 7) / 2 == -3 && ((int)$rbx - 7) % 2 == -1',
    '(((unsigned)$rbx + 7) << 5) >> 2 | ((unsigned)$rbx + 0xf0) & ~0x30 ^ 5',
    '((long)$rbx - 16) >> 2',
    '(unsigned long)$rbx - 1 > 5 && (long)$rbx - 1 < 5',
    '($rbx + 0x123456789abcdef0) == 0x123456789abcdef0',
    '((unsigned)$rbx + 100) / 7 * 10 + ((unsigned)$rbx + 100) % 7',
    '(short)($rbx + 0x18000) * 2',
    '$rsp + 8',
    '*(int *)$rsp == 1',
    '*(unsigned long *)($rsp + 8) > 0x1000 ? 17 : 18',
    '!(*(unsigned char *)$rip == 0x48)',
  ];

  test('gives the values that gdb gives', () => {
    const numbers = gdbRegisters();
    const results = gdb(expressions);
    assert.equal(results.length, expressions.length);
    for (const [position, { code, value, rsp }] of results.entries()) {
      const context: AgentContext = {
        ...nothing,
        register: (regnum) => numbers.values.get(regnum) ?? (regnum === 7 ? rsp : 0n),
        memory: (gva, length) => numbers.memory(gva, length, rsp),
      };
      assert.equal(BigInt.asUintN(64, evaluate(parseProgram(code), context) ?? -1n), value, expressions[position]);
    }
  });

  /** What one run of gdb says of the registers and of the memory that the expressions use; all runs start alike but for RSP. */
  function gdbRegisters() {
    const text = execFileSync(
      'gdb',
      [
        '-nx',
        '-batch',
        '-ex',
        'starti',
        '-ex',
        'output/x $rip',
        '-ex',
        'echo \\n',
        '-ex',
        'x/16xb $rip',
        '-ex',
        'x/16xb $rsp',
        '/bin/true',
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const [rip = '0'] = [...text.matchAll(/^(0x[0-9a-f]+)$/gm)].map(([, digits]) => digits ?? '0');
    const bytes = Uint8Array.from(
      [...text.matchAll(/\t0x([0-9a-f]{2})\b/g)].map(([, digits]) => Number.parseInt(digits ?? '0', 16)),
    );
    const [code, stack] = [bytes.subarray(0, 16), bytes.subarray(16, 32)];
    return {
      values: new Map([[16, BigInt(rip)]]),
      memory: (gva: bigint, length: number, rsp: bigint) => {
        const [start, from] = gva >= rsp && gva < rsp + 16n ? [rsp, stack] : [BigInt(rip), code];
        return from.subarray(Number(gva - start), Number(gva - start) + length);
      },
    };
  }
});

test('the table has the numbers of the manual, each once', () => {
  assert.equal(opcodesByCode.size, Object.keys(opcodes).length);
});

describe('bounds', () => {
  const fails = (bytes: readonly number[], words: RegExp) =>
    assert.throws(() => evaluate(parseProgram(Uint8Array.from(bytes)), nothing), words);

  test('what is no expression, or does not end, fails in words', () => {
    fails([0xff], /0xff, which is not supported/);
    fails([0x22], /ends inside an instruction/);
    fails([0x22, 1], /has no end/);
    fails([0x21, 0, 0, 0x27], /did not end within/);
    fails([0x21, 0, 1, 0x27], /jumps to 1, which is no instruction/);
    fails([0x22, 1, 0x21, 0, 0], /stack of more than/);
    fails([0x02, 0x27], /empty stack/);
    fails([0x22, 1, 0x22, 0, 0x05, 0x27], /divides by zero/);
    fails([0x34, 1, 0, 2, 0x41, 0x42, 0x27], /format without an end/);
  });

  test('whatever bytes come, evaluation ends with a value or an AgentError', () => {
    const byte = fc.oneof(fc.integer({ min: 0, max: 0x35 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
        try {
          evaluate(parseProgram(Uint8Array.from(bytes)), nothing);
        } catch (error) {
          assert.ok(error instanceof AgentError, String(error));
        }
      }),
      { numRuns: 5000 },
    );
  });
});

test('printf is as in bash, whose printf is C’s', () => {
  const cases: readonly (readonly [format: string, values: readonly bigint[]])[] = [
    ['%d|%5d|%-5d|%05d|%+d|% d', [7n, -7n, 7n, -7n, 7n, 7n].map((value) => BigInt.asUintN(64, value))],
    ['%x|%#x|%08x|%#010x|%X|%#X', [255n, 255n, 255n, 255n, 0xabcn, 0xabcn]],
    ['%o|%#o|%u|%.4d|%8.4x', [8n, 8n, 4_000_000_000n, 42n, 42n]],
    ['%lu|%lld|%lx', [1n << 63n, (1n << 64n) - 1n, (1n << 64n) - 1n]],
    ['100%%\\t%c\\x41\\101\\n', [0x41n]],
  ];
  for (const [format, values] of cases) {
    const shown = values.map((value) => String(BigInt.asIntN(64, value)));
    const theirs = execFileSync(
      'bash',
      [
        '-c',
        'printf "$@"',
        'bash',
        format.replace('%c', '%b'),
        ...shown.map((text) => (format.includes('%c') ? 'A' : text)),
      ],
      { encoding: 'utf8' },
    );
    assert.equal(
      formatText(format, values, () => ''),
      theirs,
      format,
    );
  }
  assert.equal(
    formatText('%s!', [16n], (gva) => `at ${gva}`),
    'at 16!',
  );
  assert.throws(() => formatText('%d', [], () => ''), AgentError);
  assert.throws(() => formatText('%n', [1n], () => ''), AgentError);
});

test('options come back as they were written', () => {
  const bytes = fc.uint8Array({ maxLength: 20 });
  const options = fc.record({
    conditions: fc.array(bytes, { maxLength: 4 }),
    commands: fc.array(bytes, { maxLength: 4 }),
    cr3: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  });
  fc.assert(
    fc.property(options, (written) => {
      const read = parseBreakpointOptions(formatBreakpointOptions(written));
      const plain = (list: readonly Uint8Array[] = []) => list.map((each) => [...each]);
      assert.deepEqual(plain(read?.conditions), plain(written.conditions));
      assert.deepEqual(plain(read?.commands), plain(written.commands));
      assert.equal(read?.cr3, written.cr3);
    }),
  );
});
