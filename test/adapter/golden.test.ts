/**
 * A whole session as it goes over the wire, against the transcript kept in golden/. `UPDATE_GOLDEN=1` writes it anew:
 * read the difference before you commit it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { clearAt, evaluate, launch, move, runToStop, scopeOf, stack, variablesOf } from './driving.ts';
import { marker, ROOT } from './sample.ts';

const GOLDEN = join(ROOT, 'test', 'adapter', 'golden');

/** What differs from run to run, or from host to host. */
function unsteady(message: DebugProtocol.ProtocolMessage): boolean {
  const { event } = message as DebugProtocol.Event;
  return message.type === 'event' && ['output', 'ringside/started', 'ringside/console'].includes(event);
}

function line(message: DebugProtocol.ProtocolMessage): string {
  const { seq: _seq, type, ...rest } = message as DebugProtocol.ProtocolMessage & { request_seq?: number };
  const { request_seq: _request, ...body } = rest;
  const arrow = type === 'request' ? '-->' : type === 'response' ? '<--' : '<==';
  return `${arrow} ${JSON.stringify(body)}`
    .replaceAll(ROOT, '<root>')
    .replace(/0x[0-9a-f]{5,16}(?!\d)/g, '<address>')
    .replace(/("event":"ringside\/ended".*?"last":).*(?=\}\}$)/, '$1"<state>"')
    .replace(/"instructionBytes":"[^"]*"/g, '"instructionBytes":"<bytes>"');
}

async function checkTranscript(name: string, body: (client: DapClient) => Promise<void>): Promise<void> {
  const adapter = coreAdapter();
  const lines: string[] = [];
  adapter.client.onMessage = (message) => {
    if (!unsteady(message)) lines.push(line(message));
  };
  try {
    await adapter.client.request('initialize', { adapterID: 'kvm', supportsMemoryEvent: true });
    await body(adapter.client);
  } finally {
    await adapter.close();
  }
  const path = join(GOLDEN, `${name}.txt`);
  const transcript = `${lines.join('\n')}\n`;
  if ('UPDATE_GOLDEN' in process.env) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, transcript);
  }
  assert.equal(transcript, readFileSync(path, 'utf8'));
}

test('transcript: breakpoints, stack, values and steps', { skip: noKvm }, () =>
  checkTranscript('session', async (client) => {
    await launch(client);
    const place = marker('showcase-loop');
    await client.request('setBreakpoints', { source: { path: place.path }, breakpoints: [{ line: place.line }] });
    await runToStop(client);
    const [frame] = await stack(client);
    const id = frame?.id ?? 0;
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
  }),
);

test('transcript: what is refused', { skip: noKvm }, () =>
  checkTranscript('refusals', async (client) => {
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
  }),
);
