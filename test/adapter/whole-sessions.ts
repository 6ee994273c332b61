/** Sessions as editors have them, for transcripts. Each runs alike on every target. */
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { clearAt, evaluate, launch, move, runToStop, scopeOf, stack, topFrame, variablesOf } from './driving.ts';
import { marker } from './sample.ts';

/** A stop, its stack and values, one of them changed, and steps. */
export async function valuesAndSteps(client: DapClient): Promise<void> {
  await launch(client);
  const place = marker('showcase-loop');
  await client.request('setBreakpoints', { source: { path: place.path }, breakpoints: [{ line: place.line }] });
  await runToStop(client);
  const { id } = await topFrame(client);
  const locals = await variablesOf(client, await scopeOf(client, id, 'Locals'));
  for (const { variablesReference } of locals)
    if (variablesReference > 0) await variablesOf(client, variablesReference);
  await evaluate(client, 'rectangle->size.x', id);
  await client.send('evaluate', { expression: 'rectangle->', frameId: id, context: 'watch' });
  await client.request('setExpression', { expression: 'rectangle->size.x', value: '7', frameId: id });
  await clearAt(client, 'showcase-loop');
  await move(client, 'stepIn');
  await stack(client);
  await move(client, 'stepOut');
  await move(client, 'next');
  await stack(client);
  await client.request('disconnect', { terminateDebuggee: true });
}

/** Breakpoints of every kind, with conditions, hit counts and messages; a jump; a step by instruction; memory. */
export async function breakpointsOfEveryKind(client: DapClient): Promise<void> {
  await launch(client);
  const loop = marker('showcase-loop');
  const source = { path: loop.path };
  await client.request('breakpointLocations', { source, line: loop.line - 2, endLine: loop.line });
  await client.request('setBreakpoints', {
    source,
    breakpoints: [
      { line: loop.line, condition: 'index == 1' },
      { line: loop.line - 1, logMessage: 'size {rectangle->size}', hitCondition: '<= 2' },
      { line: loop.line + 3, condition: 'no such thing' },
    ],
  });
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'record_event' }] });
  await runToStop(client);
  const { id } = await topFrame(client);
  await client.request('threads');
  await client.request('completions', { text: 'rectangle->s', column: 13, frameId: id });
  await client.request('stepInTargets', { frameId: id });
  await client.request('dataBreakpointInfo', { name: 'total', frameId: id });
  const data = await client.request('dataBreakpointInfo', { name: 'counted', frameId: id });
  await client.request('setDataBreakpoints', { breakpoints: [{ dataId: data.dataId ?? '', accessType: 'write' }] });
  await client.request('setBreakpoints', { source, breakpoints: [] });
  await move(client, 'continue');
  await client.request('setDataBreakpoints', { breakpoints: [] });
  await move(client, 'continue');
  await client.request('setFunctionBreakpoints', { breakpoints: [] });
  const { instructionPointerReference = '' } = await topFrame(client);
  await client.request('disassemble', { memoryReference: instructionPointerReference, instructionCount: 3 });
  await move(client, 'stepIn', { granularity: 'instruction' });
  await move(client, 'stepOut');
  await client.request('gotoTargets', { source, line: loop.line });
  const { memoryReference = '' } = await client.request('evaluate', { expression: 'showcase.text' });
  await client.request('readMemory', { memoryReference, count: 16 });
  await client.request('writeMemory', { memoryReference, data: Buffer.from('!').toString('base64') });
  await client.request('terminate');
  await client.event('terminated');
}

/** What cannot be done, and what is said of it. */
export async function refusals(client: DapClient): Promise<void> {
  await client.send('launch', { program: '/no/such/kernel' });
  await client.send('launch', { program: 7 });
  await client.send('stackTrace', { threadId: 1 });
  await launch(client, { stopOnEntry: true });
  await client.send('setFunctionBreakpoints', { breakpoints: [{ name: 'nothing_of_that_name' }] });
  await runToStop(client);
  await client.send('variables', { variablesReference: 12345 });
  await client.send('stackTrace', { threadId: 5 });
  await client.send('readMemory', { memoryReference: 'elsewhere', count: 1 });
  await client.send('no-such-request');
  await client.request('disconnect', { terminateDebuggee: true });
}
