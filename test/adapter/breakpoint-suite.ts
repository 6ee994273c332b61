/** Conditions, hit counts, log points, modes and data breakpoints. The same tests for every target. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import {
  type Adapter,
  clearAt,
  evaluate,
  launch,
  move,
  runToStop,
  stack,
  stopAt,
  topFrame,
  withAdapter,
} from './driving.ts';
import { marker } from './sample.ts';

type Wanted = Omit<DebugProtocol.SourceBreakpoint, 'line'>;

/** Sets one breakpoint at a marker. */
async function breakAt(client: DapClient, name: string, wanted: Wanted = {}): Promise<DebugProtocol.Breakpoint> {
  const { path, line } = marker(name);
  const { breakpoints } = await client.request('setBreakpoints', {
    source: { path },
    breakpoints: [{ line, ...wanted }],
  });
  return breakpoints[0] ?? assert.fail('no breakpoint was answered');
}

/** What a target may lack. */
export interface BreakpointKinds {
  readonly watchpoints: boolean;
  readonly hardwareBreakpoints: boolean;
}

export function breakpointTermTests(open: () => Adapter, { watchpoints, hardwareBreakpoints }: BreakpointKinds): void {
  test('a condition stops only where it holds', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const set = await breakAt(client, 'showcase-loop', { condition: 'index == 1 && rectangle->colour != GREEN' });
      assert.equal(set.verified, true);
      const stopped = await runToStop(client);
      assert.deepEqual(stopped.hitBreakpointIds, [set.id]);
      assert.equal(await evaluate(client, 'index'), '1');
      await client.request('continue', { threadId: 1 });
      await client.stopped();
      assert.equal(await evaluate(client, 'index'), '1', 'the next pass');
      assert.notEqual(await evaluate(client, 'pass'), '0');
    }));

  test('what a stub cannot evaluate is evaluated by the adapter, which says so', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const set = await breakAt(client, 'showcase-loop', { condition: 'index * 1.5 > 1.0' });
      assert.match(set.message ?? '', /evaluated by the debug adapter/);
      await runToStop(client);
      assert.equal(await evaluate(client, 'index'), '1');
    }));

  test('a condition that fails stops and says why', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      await breakAt(client, 'showcase-loop', { condition: 'no_such_name > 1' });
      assert.equal((await runToStop(client)).reason, 'breakpoint');
      const said = await client.event<{ output: string }>('output', ({ output }) => /no_such_name/.test(output));
      assert.match(said.output, /cannot be evaluated/);
    }));

  test('hit counts', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      await breakAt(client, 'showcase-loop', { hitCondition: '2' });
      await runToStop(client);
      assert.equal(await evaluate(client, 'index'), '1');
      await breakAt(client, 'main-loop', { hitCondition: '% 3' });
      const passes: number[] = [];
      for (let stop = 0; stop < 2; stop++) {
        await client.request('continue', { threadId: 1 });
        await client.stopped();
        passes.push(Number(await evaluate(client, 'main_loop_passes')));
      }
      assert.equal((passes[1] ?? 0) - (passes[0] ?? 0), 3);
      await assert.rejects(breakAt(client, 'main-loop', { hitCondition: 'often' }), /hitCondition/);
    }));

  test('a visit by a step counts, and one where another breakpoint stops', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const { path, line } = marker('showcase-loop');
      const third = { line, hitCondition: '3' };
      await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line: line - 1 }, third] });
      await runToStop(client);
      await move(client, 'next');
      const { instructionPointerReference: here = '' } = await topFrame(client);
      assert.equal((await topFrame(client)).line, line);
      const set = await client.request('setBreakpoints', { source: { path }, breakpoints: [third] });
      const also = await client.request('setInstructionBreakpoints', {
        breakpoints: [{ instructionReference: here, condition: 'index != 0' }],
      });
      const [counting, other] = [set.breakpoints[0]?.id, also.breakpoints[0]?.id];
      assert.deepEqual((await move(client, 'continue')).hitBreakpointIds, [other]);
      assert.deepEqual((await move(client, 'continue')).hitBreakpointIds, [counting, other]);
      assert.equal(await evaluate(client, 'index'), '2');
    }));

  test('log points print and do not stop', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      const { path, line } = marker('showcase-loop');
      const end = marker('main-loop');
      await client.request('setBreakpoints', {
        source: { path },
        breakpoints: [
          { line, logMessage: 'at {index}: {rectangle->size.x,x} \\{not this} {nothing}', condition: 'pass == 0' },
        ],
      });
      await client.request('setBreakpoints', { source: { path: end.path }, breakpoints: [{ line: end.line }] });
      await runToStop(client);
      assert.equal((await topFrame(client)).name, 'main_loop_pass');
      const first = await client.event<{ output: string; line?: number }>('output', ({ output }) =>
        /^at 0/.test(output),
      );
      assert.match(first.output, /^at 0: 0x1f \{not this} \{.*nothing.*\}\n$/);
      assert.equal(first.line, line);
      await client.event('output', ({ output }: { output: string }) => /^at 1: /.test(output));
    }));

  test('a step over a call stops at a breakpoint inside it, unless its condition is false', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      await clearAt(client, 'showcase-loop');
      const { line } = await topFrame(client);
      await breakAt(client, 'apply', { condition: '0' });
      await move(client, 'next');
      assert.equal((await topFrame(client)).name, 'showcase_visit');
      assert.notEqual((await topFrame(client)).line, line);
      await stepTo(client, line);
      await breakAt(client, 'apply', { condition: '1' });
      const stopped = await move(client, 'next');
      assert.equal(stopped.reason, 'breakpoint');
      assert.equal((await topFrame(client)).name, 'apply');
    }));

  test('hardware breakpoints by mode', () =>
    withAdapter(open, async (client) => {
      await launch(client);
      await assert.rejects(breakAt(client, 'apply', { mode: 'magic' }), /mode/);
      const set = await breakAt(client, 'apply', { mode: 'hardware' });
      assert.equal(set.verified, hardwareBreakpoints);
      if (!hardwareBreakpoints) return assert.match(set.message ?? '', /hardware|debug register/i);
      assert.equal((await runToStop(client)).reason, 'breakpoint');
      assert.equal((await topFrame(client)).name, 'apply');
    }));

  test('data breakpoints by variable, expression and address', () =>
    withAdapter(open, async (client) => {
      await stopAt(client, 'showcase-loop');
      await clearAt(client, 'showcase-loop');
      const frameId = (await topFrame(client)).id;
      const byName = await client.request('dataBreakpointInfo', { name: 'main_loop_passes', frameId });
      assert.deepEqual([byName.canPersist, byName.accessTypes], [true, ['write', 'read', 'readWrite']]);
      const { variablesReference } = await client.request('evaluate', { expression: 'showcase.header', frameId });
      const member = await client.request('dataBreakpointInfo', { variablesReference, name: 'length' });
      assert.match(String(member.dataId), /^0x[0-9a-f]+\/[12]$/);
      const [address = ''] = String(byName.dataId).split('/');
      const byAddress = await client.request('dataBreakpointInfo', { name: address, asAddress: true, bytes: 4 });
      assert.equal(byAddress.dataId, `${address}/4`);
      const register = await client.request('dataBreakpointInfo', { name: '$rax', frameId });
      assert.equal(register.dataId, null);
      assert.match(register.description, /not in memory/);
      await assert.rejects(client.request('setDataBreakpoints', { breakpoints: [{ dataId: 'x' }] }), /dataId/);

      const before = Number(await evaluate(client, 'main_loop_passes'));
      const { breakpoints } = await client.request('setDataBreakpoints', {
        breakpoints: [
          { dataId: String(byName.dataId), accessType: 'write', condition: `main_loop_passes >= ${before + 2}` },
        ],
      });
      assert.equal(breakpoints[0]?.verified, watchpoints);
      if (!watchpoints) return assert.match(breakpoints[0]?.message ?? '', /has no write breakpoints/);
      const stopped = await move(client, 'continue');
      assert.equal(stopped.reason, 'data breakpoint');
      assert.equal(stopped.description, 'Paused after a change of main_loop_passes');
      assert.deepEqual(stopped.hitBreakpointIds, [breakpoints[0]?.id]);
      assert.equal(Number(await evaluate(client, 'main_loop_passes')), before + 2);
      assert.ok((await stack(client)).length > 0);
    }));
}

/** Steps over lines until one comes round again. */
async function stepTo(client: DapClient, line: number): Promise<void> {
  for (let step = 0; step < 20; step++) {
    if ((await topFrame(client)).line === line) return;
    await move(client, 'next');
  }
  assert.fail(`line ${line} did not come`);
}
