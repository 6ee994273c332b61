/** Steps over what leaves a line by other ways than a call: a program of a few lines, its own kernel. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, runToStop, stack, withAdapter } from './driving.ts';
import { compileKernel, GATES } from './small-kernel.ts';

/** A line is known by the word in its comment. Handlers of exceptions go on at RBX, that of system calls by RCX. */
const SOURCE = `${GATES}
#define IRET "mov %%rsp, %%rax; mov %%ss, %%ecx; push %%rcx; push %%rax; pushf; mov %%cs, %%ecx; push %%rcx;" \\
  "lea 1f(%%rip), %%rcx; push %%rcx; iretq; 1:"
char from[4096] = { [4095] = 7 }, to[4096];
volatile int handled, calls, task, turns[2];
u64 stacks[2][512], saved[2];

__attribute__((naked)) void invalid(void) { __asm__("incl handled; mov %rbx, (%rsp); iretq"); }
__attribute__((naked)) void entry(void) { __asm__("incl calls; push %r11; popf; jmp *%rcx"); }

__attribute__((naked)) void switch_to(u64 *from, u64 to) {
  __asm__("push %rbp; push %rbx; mov %rsp, (%rdi); mov %rsi, %rsp; pop %rbx; pop %rbp; ret");
}
void yield(void) {
  int self = task;
  task = !self;
  switch_to(&saved[self], saved[!self]);
}
void work(void) {
  for (;;) {
    turns[task]++; /* turn */
    yield();       /* yield */
    turns[task]++; /* again */
  }
}

void wrmsr(unsigned msr, u64 value) { __asm__("wrmsr" :: "c"(msr), "a"(value), "d"(value >> 32)); }

void hard(void) {
  char *a = from, *b = to;
  u64 count = 4096;
  __asm__("rep movsb" : "+S"(a), "+D"(b), "+c"(count) :: "memory"); /* rep */
  __asm__("lea 1f(%%rip), %%rbx; ud2; 1:" ::: "rbx", "memory");     /* ud2 */
  __asm__("syscall" ::: "rcx", "r11", "memory");                    /* syscall */
  __asm__(IRET ::: "rax", "rcx", "memory");                         /* iret */
  handled++;                                                        /* after */
}

__attribute__((naked)) void main(void) { __asm__("mov $0x80000, %esp; call start"); }
void start(void) {
  u64 cs;
  __asm__("mov %%cs, %0" : "=r"(cs));
  gate(6, invalid);
  __asm__("lidt idtr");
  wrmsr(0xc0000080, 0x501);
  wrmsr(0xc0000081, cs << 32);
  wrmsr(0xc0000082, (u64)entry);
  hard();
  stacks[1][509] = (u64)work;
  saved[1] = (u64)&stacks[1][507];
  __asm__("mov %0, %%rsp; jmp work" :: "r"(&stacks[0][510]));
}
`;

const LINES = SOURCE.split('\n');
const lineOf = (word: string) => LINES.findIndex((line) => line.includes(`/* ${word} */`)) + 1;

/** Where the guest stands: by the word of the line, or its number. */
async function where(client: DapClient): Promise<string> {
  const line = (await stack(client))[0]?.line ?? 0;
  return /\/\* (\w+) \*\//.exec(LINES[line - 1] ?? '')?.[1] ?? `${line}`;
}

const numberOf = async (client: DapClient, expression: string) => Number(await evaluate(client, expression));

describe('steps', { skip: noKvm }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-hard-steps-'));
  const program = compileKernel(folder, SOURCE, ['-fno-asynchronous-unwind-tables']);
  const path = join(folder, 'program.c');
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs to a line of the program that is given by its word. */
  async function runTo(client: DapClient, word: string): Promise<void> {
    await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line: lineOf(word) }] });
    const told = await runToStop(client);
    assert.equal(told.reason, 'breakpoint', told.text);
    await client.request('setBreakpoints', { source: { path }, breakpoints: [] });
    assert.equal(await where(client), word);
  }

  test('over a repeated instruction, an exception, a system call and an interrupt’s return', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { program });
      await runTo(client, 'rep');
      const next = async () => {
        await move(client, 'next');
        return where(client);
      };
      assert.equal(await next(), 'ud2');
      assert.equal(await numberOf(client, '(int)to[4095]'), 7);
      assert.equal(await next(), 'syscall');
      assert.equal(await numberOf(client, 'handled'), 1);
      assert.equal(await next(), 'iret');
      assert.equal(await numberOf(client, 'calls'), 1);
      assert.equal(await next(), 'after');
      assert.equal(await numberOf(client, 'handled'), 1);
    }));

  test('over a call in which another task runs, which returns from the same call before', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { program });
      await runTo(client, 'yield');
      assert.deepEqual([await numberOf(client, 'task'), await numberOf(client, 'turns[0]')], [0, 1]);
      await move(client, 'next');
      // The other has begun and come to its own call; it returns from that only when this one yields again.
      assert.deepEqual([await where(client), await numberOf(client, 'task')], ['again', 0]);
      assert.equal(await numberOf(client, 'turns[1]'), 1);
      await runToLine(client);
      await move(client, 'next');
      assert.deepEqual([await where(client), await numberOf(client, 'task')], ['again', 0]);
      assert.equal(await numberOf(client, 'turns[1]'), 3);
    }));

  /** On to the next call of the same task. */
  async function runToLine(client: DapClient): Promise<void> {
    while ((await where(client)) !== 'yield') await move(client, 'next');
    assert.equal(await numberOf(client, 'task'), 0);
  }
});
