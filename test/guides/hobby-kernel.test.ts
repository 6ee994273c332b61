/** media/docs/hobby-kernel.md, done word by word. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { MachineSnapshot, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, move, runToStop, stack, topFrame, withAdapter } from '../adapter/driving.ts';
import { patience } from '../patience.ts';
import { Page } from './page.ts';
import { Reader } from './reader.ts';

const page = new Page('hobby-kernel');
const DEBUG = 'Debug it';

/** The file and the line that the page wants a breakpoint on. */
function breakpoint(folder: string) {
  const [, file = '', code = ''] = /breakpoint in `([^`]+)` on the line `([^`]+)`/.exec(page.section(DEBUG)) ?? [];
  const path = join(folder, file);
  const lines = readFileSync(path, 'utf8').split('\n');
  return { path, line: lines.findIndex((line) => line.trim() === code) + 1 };
}

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
  Interrupts: async (client, what) => {
    const vector = Number(/0x[0-9a-f]+/.exec(what)?.[0]);
    return (await part(client, 'interrupts')).idt.flatMap((entry) =>
      entry.vector === vector ? [entry.symbol ?? ''] : [],
    );
  },
};

describe('the page about hobby kernels', { timeout: patience(180_000) }, () => {
  let reader: Reader;
  before(async () => {
    reader = new Reader();
    await reader.follow(page, 'The kernel');
    await reader.follow(page, DEBUG);
  });
  after(() => reader.close());

  test('has a launch.json whose session stops at the breakpoint, and shows what the page shows', () =>
    withAdapter(coreAdapter, async (client) => {
      let terminal = '';
      client.onMessage = (message) => {
        const { event, body } = message as DebugProtocol.OutputEvent;
        if (event === 'output') terminal += body.output;
      };
      await client.request('launch', { ...reader.launchAttributes(), console: 'internalConsole' });
      await client.event('initialized');
      const { path, line } = breakpoint(reader.folder);
      const { breakpoints } = await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
      assert.deepEqual([breakpoints[0]?.verified, breakpoints[0]?.line], [true, line]);
      assert.equal((await runToStop(client)).reason, 'breakpoint');
      for (const [where = '', what = '', is = ''] of page.table(DEBUG)) {
        const look = seen[where];
        assert.ok(look, `the test cannot look at: ${where}`);
        const words = await look(client, what, terminal);
        assert.ok(words.includes(is), `${where}, ${what}: ${words.join(', ')}, and not ${is}`);
      }
      const text = page.section(DEBUG);
      const [, expression = '', next] = /next interrupt stops there: `([^`]+)` is `([^`]+)`/.exec(text) ?? [];
      await move(client, 'continue');
      assert.equal(await evaluate(client, expression, (await topFrame(client)).id), next);
      const [, condition = ''] = /the condition `([^`]+)`/.exec(text) ?? [];
      await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line, condition }] });
      await move(client, 'continue');
      assert.equal(await evaluate(client, condition, (await topFrame(client)).id), '1');
    }));

  test('runs the kernel without an editor, and it prints and ends as the page says', async () => {
    await reader.follow(page, 'Run it without an editor', { 'npm ci': 'true' });
  });
});
