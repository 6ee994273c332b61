/** What kernel people type: macros of the sources, container_of and its like, lists and per-CPU variables, against gdb. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compilers } from '../symbols/fixtures/toolchain.ts';
import { type OpenSymbols, openSymbols } from '../symbols/symbols.ts';
import type { EvaluationContext } from './api.ts';
import { fromBigInt } from './bytes.ts';
import { createExpressions } from './expressions.ts';
import { fakeContext } from './fake-context.ts';
import { gdbAnswers, gdbCommands, normalText, normalType } from './gdb-text.ts';
import { compileProgram, run, segmentsOf } from './test-program.ts';

const SOURCE = `
#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define ALIGN_UP(value, to) (((value) + (to) - 1) & ~((to) - 1))
#define PAGE_ALIGN(address) ALIGN_UP(address, PAGE_SIZE)
#define NOTHING() 7
#define FIRST_TASK list_entry_of(tasks.next)
#define list_entry_of(link) ((struct task *)((char *)(link) - 16))
#define items tasks
#define GONE 1
#undef GONE
#define TWICE 1
#undef TWICE
#define TWICE 2
struct list { struct list *next, *prev; };
struct hnode { struct hnode *next, **pprev; }; struct hhead { struct hnode *first; };
struct task { int pid; char name[8]; struct list link; struct hnode hash; int marks[4]; struct { struct list inner; } deep[2]; };
struct list tasks; struct hhead bucket; struct list empty = { &empty, &empty };
struct task c = { 3, "three", { &tasks, 0 }, { 0, 0 } };
struct task b = { 2, "two", { &c.link, 0 }, { &c.hash, 0 } };
struct task a = { 1, "one", { &b.link, 0 }, { &b.hash, 0 } };
struct list tasks = { &a.link, &c.link }; struct hhead bucket = { &a.hash };
struct list loop = { &loop.prev, 0 }; struct list *marker = &b.link;
int counter = 100; struct task current[3] = { { 10, "zero" }, { 11, "first" }, { 12, "second" } };
unsigned long __per_cpu_offset[3] = { 0, sizeof(struct task), 2 * sizeof(struct task) }; struct task *pointed = current;
struct task_struct { int pid, tgid; char comm[16]; } running = { 7, 6, "sleeper" };
struct hot { struct task_struct *current_task; char rest[sizeof(struct task) - 8]; struct task_struct *second_task; };
struct hot pcpu_hot = { 0, { 0 }, &running };
int main(void) { return counter + (marker != 0); }
`;

/** Ours, and the same in words that gdb understands. */
const SAME: readonly (readonly [string, string])[] = [
  ['PAGE_SIZE', 'PAGE_SIZE'],
  ['PAGE_ALIGN(counter)', 'PAGE_ALIGN(counter)'],
  ['PAGE_ALIGN((counter, 5000))', 'PAGE_ALIGN((counter, 5000))'],
  ['NOTHING() + TWICE', 'NOTHING() + TWICE'],
  ['FIRST_TASK->pid', 'FIRST_TASK->pid'],
  ['items.next == &a.link', 'items.next == &a.link'],
  ['sizeof(PAGE_SIZE)', 'sizeof(PAGE_SIZE)'],
  ['offsetof(struct task, link)', '(unsigned long)&((struct task *)0)->link'],
  ['offsetof(struct task, marks[2])', '(unsigned long)&((struct task *)0)->marks[2]'],
  ['__builtin_offsetof(struct task, deep[1].inner.prev)', '(unsigned long)&((struct task *)0)->deep[1].inner.prev'],
  ['container_of(marker, struct task, link)', '(struct task *)((char *)marker - 16)'],
  ['container_of(marker, struct task, link)->name', '((struct task *)((char *)marker - 16))->name'],
  ['*list_entry(tasks.next, struct task, link)', '*(struct task *)((char *)tasks.next - 16)'],
  ['$list(tasks, struct task, link)[1]', '&b'],
  ['$list(&tasks, struct task, link)[2]->pid', 'c.pid'],
  ['*$list(bucket, struct task, hash)[0]', 'a'],
  ['per_cpu(current, 1)[1].name', 'current[2].name'],
  ['per_cpu(counter, 0)', 'counter'],
  ['per_cpu_ptr(pointed, 2)->name', 'current[2].name'],
  ['this_cpu_ptr(pointed)->pid', 'current[1].pid'],
  ['raw_cpu_read(current[1]).name', 'current[2].name'],
  ['$pid', 'running.pid'],
  ['$tgid', 'running.tgid'],
  ['$task', 'running.comm'],
  ['$task == "sleeper"', '$_streq(running.comm, "sleeper")'],
  ['$task == "sleep" || "sleeper" != $task', '$_streq(running.comm, "sleep")'],
  ['current[1].name == "first" && pointed->name != "firsts"', '$_streq(current[1].name, "first")'],
];

const WRONG = [
  'GONE',
  'PAGE_ALIGN()',
  'offsetof(struct task, nothing)',
  'offsetof(struct task)',
  '$list(counter, struct task, link)',
  'container_of(marker, struct task)',
];

/** Of a CPU of a Linux with 4-level paging. */
const KERNEL_BASE = 0xffff_8880_3ec0_0000n;

const expressions = createExpressions({ characters: 5000, elements: 200, depth: 20, strings: 100 });

for (const build of [
  ['gcc', '-gdwarf-5'],
  ['gcc', '-gdwarf-4'],
  ['clang', '-gdwarf-5'],
] as const) {
  const skip = compilers.includes(build[0]) ? false : `no ${build[0]}`;
  describe(`as kernel people type, ${build.join(' ')}`, { skip }, () => {
    let folder: string;
    let program: string;
    let symbols: OpenSymbols;
    let context: EvaluationContext;
    let answers: ReturnType<typeof gdbAnswers>;

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'ringside-kernel-'));
      const macros = build[0] === 'clang' ? '-fdebug-macro' : '-g3';
      program = compileProgram(folder, SOURCE, [...build, macros]);
      symbols = await openSymbols(program);
      const taskSize = Buffer.alloc(8);
      // As before the SWAPGS of an entry: memory here has low addresses, as only users' bases have.
      context = at({ cs: 0x10n, gs_base: 0n, k_gs_base: taskSize });
      const size = await expressions.evaluate('sizeof(struct task)', context);
      taskSize.writeUInt32LE(Number((await expressions.format(size, context)).text));
      const commands = [
        'set width 0',
        'set print repeats 10',
        'list main',
        ...SAME.flatMap(([, theirs]) => gdbCommands(theirs)),
      ];
      answers = gdbAnswers(run('gdb', '-batch', '-nx', ...commands.flatMap((text) => ['-ex', text]), program));
    });

    /** In `main`, with these registers. */
    function at(registers: Record<string, bigint | Buffer>): EvaluationContext {
      const fake = fakeContext({
        memory: segmentsOf(program),
        registers: Object.fromEntries(
          Object.entries(registers).map(([name, value]) => [
            name,
            typeof value === 'bigint' ? fromBigInt(value, 8) : value,
          ]),
        ),
      });
      const pc = symbols.symbolsNamed('main')[0]!.address;
      return { ...fake, symbols, frame: { ...fake.frame, pc } };
    }

    after(() => {
      symbols.close();
      rmSync(folder, { recursive: true, force: true });
    });

    for (const [ours, theirs] of SAME) {
      test(ours, async () => {
        const expected = answers.get(theirs);
        assert.ok(expected && expected.text !== '', `gdb does not answer ${theirs}`);
        const value = await expressions.evaluate(ours, context);
        const { text, type } = await expressions.format(value, context);
        assert.equal(normalText(text), normalText(expected.text));
        if (!/sizeof/.test(ours)) assert.equal(normalType(type), normalType(expected.type));
      });
    }

    for (const source of WRONG) {
      test(`${source} is refused`, () => assert.rejects(expressions.evaluate(source, context)));
    }

    for (const [where, cs, gs_base, k_gs_base] of [
      ['in the kernel', 0x10n, KERNEL_BASE, 0x7000n],
      ['at an entry that has not swapped', 0x10n, 0x7000n, KERNEL_BASE],
      ['in user code', 0x33n, 0x7000n, KERNEL_BASE],
      ['in user code that took an address of the kernel’s for its own', 0x33n, KERNEL_BASE + 0x1000n, KERNEL_BASE],
    ] as const) {
      test(`the CPU that runs is known ${where}`, async () => {
        const context = at({ cs, gs_base, k_gs_base });
        const value = await expressions.evaluate('(unsigned long)this_cpu_ptr((char *)0)', context);
        assert.equal(BigInt((await expressions.format(value, context)).text), KERNEL_BASE);
      });
    }

    test('stubs can be asked for a task', async () => {
      const registers = ['cs', 'gs_base', 'k_gs_base'].map((name, regnum) => ({ name, bits: 64, regnum }));
      await expressions.compile('$pid == 7 && $task == "sleeper"', { symbols, pc: context.frame.pc, registers });
    });

    test('an empty list has no entries, and one that goes round ends', async () => {
      const length = async (source: string) =>
        (await expressions.format(await expressions.evaluate(source, context), context)).children;
      assert.equal(await length('$list(empty, struct task, link)'), 0);
      assert.equal(await length('$list(loop, struct task, link)'), 1);
    });
  });
}
