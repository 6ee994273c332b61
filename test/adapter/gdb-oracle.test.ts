/** The same stop seen by gdb and by the adapter: address, registers, backtrace and locals must agree. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { scopeOf, stack, stopAt, topFrame, variablesOf, withAdapter } from './driving.ts';
import { gdbFrames, gdbOutput } from './gdb-beside.ts';
import { SAMPLE } from './sample.ts';

const noGdb = spawnSync('gdb', ['--version']).status === 0 ? false : 'gdb is not installed';
const REGISTERS = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r12', 'r15', 'rip'];

async function adaptersView(client: DapClient) {
  const frames = await stack(client);
  const { id } = await topFrame(client);
  const registers = await variablesOf(client, await scopeOf(client, id, 'Registers'));
  const locals = [
    ...(await variablesOf(client, await scopeOf(client, id, 'Locals'))),
    ...(await variablesOf(client, await scopeOf(client, id, 'Arguments'))),
  ];
  return { frames, registers, locals };
}

for (const place of ['showcase-loop', 'tree-leaf', 'record-event', 'list-insert']) {
  test(`gdb and the adapter agree at ${place}`, { skip: noKvm || noGdb }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ringside-test-'));
    const socket = join(folder, 'gdb.sock');
    try {
      await withAdapter(coreAdapter, async (client) => {
        await stopAt(client, place, { gdb: `unix:${socket}` });
        const { frames, registers, locals } = await adaptersView(client);
        const scalars = locals.filter(
          ({ value, variablesReference }) => variablesReference === 0 && /^-?\d+$/.test(value),
        );
        const text = await gdbOutput(SAMPLE, socket, [
          ...REGISTERS.map((name) => `printf "${name} %lx\\n", $${name}`),
          ...scalars.map(({ name }) => `printf "local ${name} %ld\\n", (long)${name}`),
          'bt',
        ]);
        for (const name of REGISTERS) {
          const ours = registers.find((register) => register.name === name)?.value.split(' ')[0];
          assert.equal(ours, `0x${new RegExp(`^${name} ([0-9a-f]+)$`, 'm').exec(text)?.[1]}`, name);
        }
        for (const { name, value } of scalars) {
          assert.equal(value, new RegExp(`^local ${name} (-?\\d+)$`, 'm').exec(text)?.[1], name);
        }
        assert.deepEqual(
          frames.map(({ name, source, line }) => `${name} ${source?.name}:${line}`),
          gdbFrames(text),
        );
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
