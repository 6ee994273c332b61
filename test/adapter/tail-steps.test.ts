/** Steps over a jump into code that no line is known of, which comes back to its caller, or does not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, move, runToStop, stack, withAdapter } from './driving.ts';
import { compileKernel } from './small-kernel.ts';

/** A line is known by the word in its comment. In a section of its own no line of the compiler's goes on over the tail. */
const SOURCE = `
volatile int released;
__asm__(".section .text.tail, \\"ax\\"\\n.globl tail\\n.type tail, @function\\ntail:\\n.cfi_startproc\\n"
        "1: cmpl $0, released(%rip)\\nje 1b\\nret\\n.cfi_endproc\\n.size tail, .-tail\\n.text");
__attribute__((naked)) void leave(void) { __asm__("jmp tail"); /* leave */ }
void start(void) {
  leave();    /* call */
  released++; /* after */
  leave();    /* again */
  __asm__("out %al, $0xf4");
}
__attribute__((naked)) void main(void) { __asm__("mov $0x80000, %esp; call start"); }
`;

const LINES = SOURCE.split('\n');
const lineOf = (word: string) => LINES.findIndex((line) => line.includes(`/* ${word} */`)) + 1;

describe('a step over a jump into code without lines', { skip: noKvm }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-tail-steps-'));
  const program = compileKernel(folder, SOURCE);
  const path = join(folder, 'program.c');
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function runToLeave(client: DapClient): Promise<void> {
    await launch(client, { program });
    await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line: lineOf('leave') }] });
    assert.equal((await runToStop(client)).reason, 'breakpoint');
    await client.request('setBreakpoints', { source: { path }, breakpoints: [] });
  }

  const line = async (client: DapClient) => (await stack(client))[0]?.line;

  test('ends in its caller', () =>
    withAdapter(coreAdapter, async (client) => {
      await runToLeave(client);
      await evaluate(client, 'released = 1');
      assert.equal((await move(client, 'next')).reason, 'step');
      assert.equal(await line(client), lineOf('after'));
    }));

  test('goes on for as long as that code does, ends with a pause, and leaves nothing behind', () =>
    withAdapter(coreAdapter, async (client) => {
      await runToLeave(client);
      const pausedStep = async () => {
        await client.request('next', { threadId: 1 });
        await client.request('pause', { threadId: 1 });
        return client.stopped();
      };
      let paused = await pausedStep();
      // The pause may come before the jump.
      while ((await line(client)) === lineOf('leave')) paused = await pausedStep();
      const frames = await stack(client);
      assert.deepEqual([paused.description, frames[0]?.name.replace(/\+.*/, '')], ['Paused', 'tail']);
      assert.equal(frames[1]?.line, lineOf('call'));
      await evaluate(client, 'released = 1');
      // A trap of the step's would stop the guest.
      await client.request('continue', { threadId: 1 });
      await client.event('terminated');
    }));
});
