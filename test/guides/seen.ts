/** Tables in pages: what is seen at a stop, by the place in VS Code where a user sees it. */
import assert from 'node:assert/strict';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { MachineSnapshot, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { evaluate, stack, topFrame } from '../adapter/driving.ts';
import { patternOf } from './page.ts';

async function part<Name extends StatePart>(client: DapClient, name: Name) {
  const { [name]: body } = await client.request('ringside/snapshot', { threadId: 1, parts: [name] });
  assert.ok(body && !('error' in body), JSON.stringify(body));
  return body as Exclude<MachineSnapshot[Name], undefined | { error: string }>;
}

/** What is seen at a stop where the page's table says, of what it says there; `terminal` is what the guest has printed. */
const seen: Readonly<Record<string, (client: DapClient, what: string, terminal: string) => Promise<string[]>>> = {
  Terminal: async (_client, _what, terminal) => terminal.split('\n').map((line) => line.trim()),
  'Call Stack': async (client, what) => {
    const [innermost, caller] = (await stack(client)).map(({ name }) => name);
    return [(what === 'innermost frame' ? innermost : caller) ?? ''];
  },
  Watch: async (client, what) => [await evaluate(client, what, (await topFrame(client)).id)],
  'vCPU Registers': async (client, what) => {
    const registers = (await part(client, 'registers')).flatMap((group) => group.registers);
    const fields = registers.find(({ name }) => name === what)?.fields ?? [];
    return fields.filter(({ value }) => value === 1).map(({ name }) => name);
  },
  'Page Tables': async (client, what) => {
    const { result } = await client.request('ringside/walk', { threadId: 1, address: what });
    return result.kind === 'mapped' ? [`${Number(result.size) >> 20} MiB`] : [];
  },
  Tasks: async (client, what) => {
    const { tasks } = await part(client, 'tasks');
    return tasks.flatMap(({ pid, comm }) => (pid === Number(what) ? [comm] : []));
  },
  'Kernel Log': async (client) => {
    const { text } = await client.request('ringside/kernelLog', {});
    return text.split('\n').map((line) => line.replace(/^\[[ \d.]*\] /, ''));
  },
  Interrupts: async (client, what) => {
    const vector = Number(/0x[0-9a-f]+/.exec(what)?.[0]);
    return (await part(client, 'interrupts')).idt.flatMap((entry) =>
      entry.vector === vector ? [entry.symbol ?? ''] : [],
    );
  },
};

/** Fails unless each row's last cell is seen where its first says, of what its second says; `terminal` is what the guest has printed. */
export async function assertSeen(client: DapClient, rows: readonly string[][], terminal: string): Promise<void> {
  for (const [where = '', what = '', is = ''] of rows) {
    const look = seen[where];
    assert.ok(look, `the test cannot look at: ${where}`);
    const words = await look(client, what, terminal);
    assert.ok(
      words.some((word) => patternOf(is).test(word)),
      `${where}, ${what}: ${words.join(', ')}, and not ${is}`,
    );
  }
}
