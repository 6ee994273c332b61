/** media/docs/hobby-kernel.md, done word by word. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { evaluate, move, runToStop, topFrame, withAdapter } from '../adapter/driving.ts';
import { patience } from '../patience.ts';
import { Page } from './page.ts';
import { Reader } from './reader.ts';
import { assertSeen } from './seen.ts';

const page = new Page('hobby-kernel');
const DEBUG = 'Debug it';

/** The file and the line that the page wants a breakpoint on. */
function breakpoint(folder: string) {
  const [, file = '', code = ''] = /breakpoint in `([^`]+)` on the line `([^`]+)`/.exec(page.section(DEBUG)) ?? [];
  const path = join(folder, file);
  const lines = readFileSync(path, 'utf8').split('\n');
  return { path, line: lines.findIndex((line) => line.trim() === code) + 1 };
}

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
      await assertSeen(client, page.table(DEBUG), terminal);
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
