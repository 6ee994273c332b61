/**
 * Compiled conditions run by gdbserver, an interpreter that nobody here wrote, in a program that it has stopped in; what
 * they must come to is what gdb prints at the same place.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { compilers } from '../../symbols/fixtures/toolchain.ts';
import { type OpenSymbols, openSymbols } from '../../symbols/symbols.ts';
import { RspTarget } from '../../target/rsp-target.ts';
import type { Target, TargetStop } from '../../target/target.ts';
import type { ConditionScope } from '../api.ts';
import { createExpressions } from '../expressions.ts';
import { NotCompilable } from './numbers.ts';

const SOURCE = `
typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long u64;
enum color { RED, GREEN = 5, DARK = -1 };
struct node { int value; struct node *next; u8 small; short half; char name[8]; };
struct bits { unsigned a : 3; int b : 5; unsigned long long c : 40; unsigned d : 1; _Bool e : 1; };
struct outer { int pad; union { int i; u32 u; }; struct { struct bits inner; } deep; };
struct node second = { 2, 0, 200, -7, "two" }, first = { 1, &second, 100, 300, "one" };
struct bits bits = { 5, -3, 0x123456789aUL, 1, 1 };
struct outer outer = { 9, { -8 }, { { 6, -1, 3, 0, 1 } } };
int table[4] = { 10, -20, 30, -40 }; u8 bytes[4] = { 1, 2, 250, 0 }; struct node *list[2] = { &second, &first };
long big = -0x123456789abcdefL; u64 huge = 0xfedcba9876543210UL; u32 word = 0xfffffff0u; int minus = -5; _Bool yes = 1;
enum color color = DARK; void *opaque = table; int (*function)(int) = 0; int rounds;
__attribute__((noinline)) int tick(int n) { rounds += n; return rounds; }
__attribute__((noinline)) long probe(struct node *p, int n, u8 octet, short half, u64 wide, enum color shade) {
  long sum = p->value; struct node copy = *p; struct node *volatile kept = p; long local = n * 3;
  sum += tick(n) + half + octet + (long)wide + copy.half + local + shade + kept->value;
  return sum;
}
int main(void) { for (int n = -2; ; n++) probe(&first, -2, 201, -300, huge, GREEN); }
void _start(void) { main(); }
`;

const ANYWHERE =
  `1; -1; 'A'; 0x7fffffffffffffff; 1 + 2 * 3; 7 / 2; -7 / 2; -7 % 3; 7u / 2; 1 << 40L; 1L << 40; -8 >> 1; 0xf0u >> 4; ~5; !5; !0; -minus
minus; minus + 1; minus * 3; minus < 0; minus < 1u; minus > word; word; word + 0x20; word * 2; (u64)word * 2; big; -big; big >> 8; huge; huge >> 60; huge / 3; huge % 1000
big / 7; big % 1000; huge > big; yes; !yes; yes + 1; color; color == DARK; color < 0; GREEN; GREEN + 1; DARK; (enum color)5 == GREEN
first.value; first.next->value; first.next->small; first.next->half; first.name[1]; second.next == 0; &first == list[1]; list[0] - list[0]; first.next->next
bits.a; bits.b; bits.c; bits.d; bits.e; -bits.b; bits.b < 0; bits.a + bits.b; outer.i; outer.u; outer.deep.inner.a; outer.deep.inner.b; outer.deep.inner.c
table[1]; table[3] + table[0]; *table; *(table + 2); &table[3] - table; &table[1] > table; bytes[2]; bytes[2] + bytes[2]; (char)bytes[2]; (signed char)200; (u8)300; (short)0x12345
*(int *)opaque; ((struct node *)&second)->half; {int}&table[1]; {u8}(bytes + 2); (long)&table[1] - (long)table; function == 0; !function; (_Bool)huge; (int)huge; (u32)big
sizeof(struct node); sizeof first.name; sizeof table / sizeof *table; sizeof(int[3]); yes && minus; yes && !minus; 0 || minus; 0 || 0; 1 || *(int *)0; 0 && *(int *)0
minus < 0 ? 10 : 20; minus > 0 ? 10 : 20; yes ? word : -1; (minus ? bytes[2] : big) + 1; table[minus + 6]; 1 << 3 << 2; 100 - 10 - 1; 2 + 3 == 5 && 4 > 3; minus >= -5; minus <= -6; word >= 5; main == 0`.split(
    /;\s*|\n\s*/,
  );
/** In `probe`: locals and arguments, wherever the optimiser put them, and registers. */
const THERE =
  `n; octet; half; wide; p; p->value; p->next->half; p->name[0]; n < 0; half < octet; wide > 5; shade; shade == GREEN; sizeof(*p); n + octet; (long)p & 7
(long)$rsp % 8; $rip; (int)$rdi; (u8)$rdx; $edi; $dl; $cx; $r8 & 0xff; (long)$rsp < 0`.split(/;\s*|\n\s*/);

const UNCOMPILABLE = ['1.5', 'n = 3', 'n++', 'tick(3)', '"text"', 'first', '*p@2', '(double)n', '$xmm0', 'no_such'];

const expressions = createExpressions();
const noTool = (name: string) => (spawnSync(name, ['--version']).status === 0 ? false : `no ${name}`);

/** What gdb prints for `(unsigned long)(expression)` in `probe`. */
function askGdb(program: string, address: bigint, asked: readonly string[]): Map<string, bigint> {
  const commands = [
    ...['set width 0', `break *0x${address.toString(16)}`, 'run'],
    ...asked.flatMap((expression) => [
      `echo @@${expression}\\n`,
      `output/x (unsigned long)(${expression})`,
      'echo \\n',
    ]),
    'kill',
  ];
  const { stdout } = spawnSync('gdb', ['-batch', '-nx', ...commands.flatMap((text) => ['-ex', text]), program], {
    encoding: 'utf8',
  });
  const answers = stdout
    .split('@@')
    .slice(1)
    .map((part) => part.split('\n'));
  return new Map(answers.map(([expression = '', value = '']) => [expression, /^0x/.test(value) ? BigInt(value) : 0n]));
}

for (const build of [
  ['gcc', '-O0'],
  ['gcc', '-O2'],
  ['clang', '-O0'],
  ['clang', '-O2'],
] as const) {
  const skip = compilers.includes(build[0]) ? noTool('gdbserver') || noTool('gdb') : `no ${build[0]}`;
  describe(`conditions in gdbserver, ${build.join(' ')}`, { skip, timeout: 60_000 }, () => {
    let folder: string;
    let symbols: OpenSymbols;
    let server: ChildProcess;
    let target: Target;
    let scope: ConditionScope;
    let tick: bigint;
    let answers: Map<string, bigint>;

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'ringside-agent-'));
      const program = join(folder, 'program');
      writeFileSync(join(folder, 'program.c'), SOURCE);
      const flags = ['-g', '-w', '-static', '-nostdlib', '-no-pie', '-fno-stack-protector'];
      const made = spawnSync(build[0], [build[1], ...flags, '-o', program, join(folder, 'program.c')]);
      assert.equal(made.status, 0, made.stderr.toString());
      symbols = await openSymbols(program);
      server = spawn('gdbserver', ['--once', '127.0.0.1:0', program], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const port = await new Promise<number>((resolve) => {
        createInterface({ input: server.stderr! }).on('line', (line) => {
          const found = /Listening on port (\d+)/.exec(line)?.[1];
          if (found) resolve(Number(found));
        });
      });
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      target = await RspTarget.connect('gdbserver', socket);
      const [place] = await symbols.placesForFunction('probe');
      tick = symbols.symbolsNamed('tick')[0]!.address;
      scope = { symbols, pc: place!.address, registers: target.registers };
      await target.insertBreakpoint('software', tick);
      await goOn();
      answers = askGdb(program, scope.pc, [...ANYWHERE, ...THERE]);
    });

    after(async () => {
      await target.kill();
      server.kill();
      symbols.close();
      rmSync(folder, { recursive: true, force: true });
    });

    async function goOn(): Promise<bigint> {
      const [thread] = await target.threads();
      const stopped = new Promise<TargetStop>((resolve) => target.onStop(resolve));
      await target.resume(thread!.id, { kind: 'continue' }, 'continue');
      await stopped;
      return Buffer.from(await target.readRegister(thread!.id, 'rip')).readBigUInt64LE();
    }

    /** From `tick` on, where the program stops when `probe` has this condition and `tick`, which comes after it, has none. */
    async function stopsAt(condition: Uint8Array): Promise<bigint> {
      await target.insertBreakpoint('software', scope.pc, 1, { conditions: [condition], commands: [] });
      const pc = await goOn();
      await target.removeBreakpoint('software', scope.pc);
      if (pc === scope.pc) await goOn();
      return pc;
    }

    for (const expression of [...ANYWHERE, ...THERE]) {
      test(expression, async (context) => {
        const expected = answers.get(expression);
        assert.notEqual(expected, undefined);
        const asked = `(unsigned long)(${expression})`;
        let equal: Uint8Array;
        try {
          equal = await expressions.compile(`${asked} == ${expected}UL`, scope);
        } catch (error) {
          // An optimiser may put an argument where only a frame tells.
          if (build[1] === '-O2' && error instanceof NotCompilable && /known only when/.test(error.message)) {
            context.skip(error.message);
            return;
          }
          throw error;
        }
        const unequal = await expressions.compile(`${asked} != ${expected}UL`, scope);
        assert.equal(await stopsAt(equal), scope.pc, `${expression} is ${expected}`);
        assert.equal(await stopsAt(unequal), tick, `${expression} is ${expected}`);
      });
    }

    for (const expression of UNCOMPILABLE) {
      test(`${expression} is refused`, () => assert.rejects(expressions.compile(expression, scope)));
    }
  });
}
