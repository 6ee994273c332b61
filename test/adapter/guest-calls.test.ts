/** What the Hypercalls view asks for of a guest that is a hypervisor itself, by its symbols: here a program that looks like Xen. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { compileProgram } from '../../debug-adapter/expressions/test-program.ts';
import type { RingsideEvents } from '../../debug-adapter/protocol/custom.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { launch, ready, runToStop, stack, withAdapter } from './driving.ts';

/** By the words of struct cpu_user_regs: RAX is 10, RDI 14, RIP 16, CS 17. */
const SOURCE = `
void do_console_io(void) {}
void pv_hypercall(unsigned long *regs) { regs[10] = regs[10] == 17 ? 0x40011 : -38ul; }
void domain(unsigned long number) {
  unsigned long regs[21];
  regs[10] = number; regs[14] = 0; regs[16] = (unsigned long)domain; regs[17] = 0xe033;
  pv_hypercall(regs);
}
__attribute__((naked)) void main(void) {
  __asm__("mov $0x80000, %esp; mov $17, %edi; call domain; mov $99, %edi; call domain; out %al, $0xf4");
}`;

describe('calls to a hypervisor in the guest', { skip: noKvm }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-guest-calls-'));
  const compiler = [
    'gcc',
    '-mgeneral-regs-only',
    '-fno-stack-protector',
    '-fcf-protection=none',
    '-Wl,-Ttext=0x100000',
  ];
  const program = compileProgram(folder, SOURCE, compiler as [string, ...string[]]);
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('are listed with the caller’s symbol, also the last before the end', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { program });
      assert.deepEqual(await client.request('ringside/recordCalls', { on: true }), { on: true });
      await client.request('configurationDone');
      const { last } = await client.event<RingsideEvents['ringside/ended']>('ringside/ended');
      assert.ok(last.hypercalls && 'records' in last.hypercalls);
      const { records, symbols } = last.hypercalls;
      assert.deepEqual(
        records.map(({ name, result, resultText, rip }) => [name, resultText ?? result, symbols[rip]]),
        [
          ['xen_version: version', '0x40011', 'domain'],
          ['hypercall 99', '-ENOSYS', 'domain'],
        ],
      );
    }));

  test('stop the guest on request, whether or not anybody looks, and show no breakpoint', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client, { program });
      await client.request('ringside/stopOn', { stops: ['hypercall xen 0x63'] });
      await client.request('ringside/recordCalls', { on: false });
      const { reason, hitBreakpointIds } = await runToStop(client);
      assert.deepEqual([reason === 'breakpoint', hitBreakpointIds ?? []], [false, []]);
      assert.deepEqual(
        (await stack(client)).slice(0, 2).map(({ name }) => name.replace(/\+.*/, '')),
        ['pv_hypercall', 'domain'],
      );
      const { records } = await client.request('ringside/hypercalls', { from: 0, limit: 10 });
      assert.deepEqual(
        records.map(({ name }) => name),
        ['xen_version: version'],
      );
      await client.request('ringside/stopOn', { stops: [] });
      await client.request('continue', { threadId: 1 });
      const { last } = await client.event<RingsideEvents['ringside/ended']>('ringside/ended');
      assert.ok(last.hypercalls && 'records' in last.hypercalls);
      // Nobody looks any more: what was under way is listed as far as it was seen.
      assert.deepEqual(
        last.hypercalls.records.map(({ name, result }) => [name, result]),
        [
          ['xen_version: version', '0x40011'],
          ['hypercall 99', undefined],
        ],
      );
    }));

  test('are none where the symbols know no hypervisor', () =>
    withAdapter(coreAdapter, async (client) => {
      await launch(client);
      assert.deepEqual(await client.request('ringside/recordCalls', { on: true }), { on: false });
      await ready(client);
    }));
});
