/** Exception filters: those exceptions that the sample guest does not raise, by a program of a few lines. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { launch, runToStop, stack, withAdapter } from './driving.ts';
import { compileKernel, GATES } from './small-kernel.ts';

/** Handlers, one each, go on at RBX with the stack of before. */
const SOURCE = `${GATES}
u64 stack;

#define HANDLER(name) void name(void); __asm__(".text; " #name ": mov stack, %rsp; jmp *%rbx; .type " #name ", @function; .size " #name ", . - " #name);
HANDLER(divide_error) HANDLER(invalid_opcode) HANDLER(general_protection) HANDLER(double_fault)
#define GOING_ON(code) __asm__("lea 1f(%%rip), %%rbx; mov %%rsp, stack;" code "; 1:" ::: "rax", "rbx", "rcx", "rdx", "memory")
void divides(void) { GOING_ON("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx"); }
void is_invalid(void) { GOING_ON("ud2"); }
void is_wild(void) { GOING_ON("movabs $0x8000000000000000, %%rax; mov (%%rax), %%ecx"); }
void faults_twice(void) {
  idt[13].kind = 0;
  is_wild();
}
__attribute__((naked)) void main(void) { __asm__("mov $0x80000, %esp; call start"); }
void start(void) {
  gate(0, divide_error);
  gate(6, invalid_opcode);
  gate(8, double_fault);
  gate(13, general_protection);
  __asm__("lidt idtr");
  divides();
  is_invalid();
  is_wild();
  faults_twice();
  __asm__("out %al, $0xf4");
}
`;

const EXPECTED = [
  ['vector-0', '#DE divide error', 'divides'],
  ['vector-6', '#UD invalid opcode', 'is_invalid'],
  ['vector-13', '#GP general protection', 'is_wild'],
  ['vector-8', '#DF double fault', 'is_wild'],
] as const;

describe('exceptions of a program', { skip: noKvm }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-exceptions-'));
  const program = compileKernel(folder, SOURCE);
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [filter, name, where] of EXPECTED) {
    test(`${name} alone, where it was raised`, () =>
      withAdapter(coreAdapter, async (client) => {
        await launch(client, { program });
        await client.request('setExceptionBreakpoints', { filters: [filter] });
        // A guest is known to have loaded its IDT when it stops.
        await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'divides' }] });
        await runToStop(client);
        await client.request('continue', { threadId: 1 });
        const { reason, threadId = 1 } = await client.stopped();
        assert.equal(reason, 'exception');
        const { exceptionId } = await client.request('exceptionInfo', { threadId });
        assert.equal(exceptionId, name);
        const [handler, raiser] = await stack(client);
        assert.deepEqual([handler?.name, raiser?.name], [name.slice(4).replace(' ', '_'), where]);
        await client.request('continue', { threadId });
        await client.event('terminated');
      }));
  }
});
