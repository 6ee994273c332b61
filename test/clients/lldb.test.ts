/** Debian's lldb drives the stub. It prints a Python traceback of its own at start, which means nothing here. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { inspect } from '../../hypervisor-core/protocol/inspect.ts';
import { sampleKernel } from '../guests/markers.ts';
import { patience } from '../patience.ts';
import { RspClient } from './rsp-client.ts';
import { withCore } from './running-core.ts';
import { addressOf, codeOf, instructionsOf } from './sample-symbols.ts';

/** Output of each command, in order. */
function lldb(commands: readonly string[]): Promise<string[]> {
  const args = ['--batch', '--no-lldbinit', ...commands.flatMap((command) => ['-o', command])];
  return new Promise((resolve, reject) => {
    const child = execFile('lldb', args, { timeout: patience(120_000) }, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout.split(/^\(lldb\) .*\n/m).slice(-commands.length));
    });
    // It would wait for more commands.
    child.stdin?.end();
  });
}

describe('lldb', () => {
  test('attaches, breaks, steps, reads registers and memory, and detaches', () =>
    withCore(async (core) => {
      const [, connected, , stopped, registers, memory, stack, threads, stepped] = await lldb([
        `target create ${sampleKernel}`,
        `process connect unix-connect://${core.gdb}`,
        'breakpoint set --name paging_init --skip-prologue false',
        'continue',
        'register read rip rsp cr3 efer gdtr_base',
        `memory read --format x --size 1 --count 16 0x${addressOf('print').toString(16)}`,
        'thread backtrace',
        'thread list',
        'thread step-inst',
        'detach',
      ]);
      assert.match(connected ?? '', /stopped[\s\S]*`start64/);
      assert.match(stopped ?? '', /stop reason = breakpoint 1\.1[\s\S]*`paging_init/);
      const value = (name: string) => BigInt(new RegExp(`${name} = (0x[0-9a-f]+)`).exec(registers ?? '')?.[1] ?? -1);
      const [first, second] = instructionsOf('paging_init');
      assert.equal(value('rip'), first);
      assert.equal(value('efer') & 0x500n, 0x500n, 'long mode');
      assert.equal(
        [...(memory ?? '').matchAll(/\b0x([0-9a-f]{2})\b/g)].map(([, byte]) => byte).join(''),
        codeOf('print').slice(0, 32),
      );
      assert.match(stack ?? '', /`paging_init[\s\S]*`kernel_main/);
      assert.match(threads ?? '', /thread #1:/);
      assert.match(stepped ?? '', /stop reason = instruction step into/);
      assert.match(stepped ?? '', new RegExp(`0x${second?.toString(16)}`));

      const inspector = await core.inspect();
      assert.equal((await inspector.sendRequest(inspect.state)).kind, 'running', 'detaching lets the guest run');
      inspector.end();
      const client = await RspClient.open(core.gdb);
      assert.match(await client.ask('?'), /^T02/);
      client.close();
    }));
});
