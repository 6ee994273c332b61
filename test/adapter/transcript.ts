/**
 * Whole sessions as they go over the wire, against the transcripts kept in golden/. `UPDATE_GOLDEN=1` writes those anew:
 * read the difference before you commit it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import { type Adapter, withAdapter } from './driving.ts';
import { ROOT } from './sample.ts';

const GOLDEN = join(ROOT, 'test', 'adapter', 'golden');

/** What differs from run to run, or from host to host. What log points print has a line of the source, and is kept. */
function unsteady(message: DebugProtocol.ProtocolMessage): boolean {
  const { event, body } = message as DebugProtocol.Event;
  if (message.type !== 'event') return false;
  if (event === 'output') return body.line === undefined;
  return ['ringside/started', 'ringside/console'].includes(event);
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

/** Runs a session with a fresh adapter and compares all that was said with `golden/<name>.txt`, e.g. `qemu/values`. */
export async function checkTranscript(
  name: string,
  open: () => Adapter,
  session: (client: DapClient) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const listening = () => {
    const adapter = open();
    adapter.client.onMessage = (message) => {
      if (!unsteady(message)) lines.push(line(message));
    };
    return adapter;
  };
  await withAdapter(listening, session);
  const path = join(GOLDEN, `${name}.txt`);
  const transcript = `${lines.join('\n')}\n`;
  if ('UPDATE_GOLDEN' in process.env) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, transcript);
  }
  assert.equal(transcript, readFileSync(path, 'utf8'));
}
