/** Exception filters: the sample guest's own faults, by the keys that make it raise them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { evaluate, launch, printed, ready, stack, type, withAdapter } from './driving.ts';
import { marker } from './sample.ts';

const filters = (client: DapClient, filterOptions: DebugProtocol.ExceptionFilterOptions[]) =>
  client.request('setExceptionBreakpoints', { filters: [], filterOptions });

/** Boots the sample with these filters on, types a key, and gives the stop that follows and its words. */
async function stopBy(client: DapClient, filterOptions: DebugProtocol.ExceptionFilterOptions[], key: string) {
  await launch(client);
  const set = await filters(client, filterOptions);
  assert.deepEqual(
    set?.breakpoints?.map(({ verified }) => verified),
    filterOptions.map(() => true),
  );
  await ready(client);
  await type(client, key);
  const stopped = await client.stopped();
  return { stopped, told: await client.request('exceptionInfo', { threadId: stopped.threadId ?? 1 }) };
}

/** The innermost frame with source. */
async function faulting(client: DapClient) {
  return (await stack(client)).find(({ source }) => source?.path?.endsWith('.c'));
}

describe('exceptions', { skip: noKvm }, () => {
  test('a page fault stops before its handler, where its condition holds', () =>
    withAdapter(coreAdapter, async (client) => {
      const { stopped, told } = await stopBy(
        client,
        [{ filterId: 'vector-14', condition: '$cr2 == 0xdead0000 && *(char *)$rip == (char)0xc6' }],
        'f',
      );
      assert.equal(stopped.reason, 'exception');
      assert.match(stopped.text ?? '', /#PF page fault with error code 0x2/);
      assert.equal(told.exceptionId, '#PF page fault');
      assert.match(told.description ?? '', /Supervisor write at 0xdead0000: no page is present\.$/);
      const frame = await faulting(client);
      assert.deepEqual([frame?.name, frame?.line], ['page_fault_nobody_handles', marker('bad-write').line]);
      assert.equal(await evaluate(client, '$cr2 == 0xdead0000'), '1');
    }));

  test("the guest's own int3, and then it goes on", () =>
    withAdapter(coreAdapter, async (client) => {
      const { stopped, told } = await stopBy(client, [{ filterId: 'vector-3' }], 'b');
      assert.equal(stopped.reason, 'exception');
      assert.equal(told.exceptionId, '#BP breakpoint');
      assert.equal((await faulting(client))?.name, 'own_breakpoint');
      await filters(client, []);
      await client.request('continue', { threadId: 1 });
      await type(client, 'b');
      await printed(client, 'after the breakpoint');
    }));

  test('a triple fault stops, unless its filter is off', async () => {
    await withAdapter(coreAdapter, async (client) => {
      const { told } = await stopBy(client, [{ filterId: 'triple-fault' }], 't');
      assert.equal(told.exceptionId, 'Triple fault');
    });
    await withAdapter(coreAdapter, async (client) => {
      await launch(client);
      await filters(client, []);
      await ready(client);
      await type(client, 't');
      await client.event('terminated');
    });
  });

  test('a condition that fails stops and says why; unknown filters are told', () =>
    withAdapter(coreAdapter, async (client) => {
      const { stopped } = await stopBy(client, [{ filterId: 'vector-3', condition: 'no_such_name' }], 'b');
      assert.equal(stopped.reason, 'exception');
      await client.event('output', ({ output }: { output: string }) => /no_such_name/.test(output));
      const breakpoints = (await filters(client, [{ filterId: 'vector-99' }]))?.breakpoints;
      assert.equal(breakpoints?.[0]?.verified, false);
      assert.match(breakpoints?.[0]?.message ?? '', /no exception filter/);
    }));
});
