/** Words for tests that drive an adapter. */
import { setTimeout } from 'node:timers/promises';
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';
import type { Requests } from '../../debug-adapter/session/area.ts';
import { marker, SAMPLE } from './sample.ts';

/** What a suite needs of an adapter, whatever its guests run under. */
export interface Adapter {
  readonly client: DapClient;
  /** Starts or reaches a guest up to `initialized`; without, by `launch` on what there is. */
  start?(attributes: Record<string, unknown>): Promise<unknown>;
  close(): Promise<unknown>;
}

const adapters = new WeakMap<DapClient, Adapter>();

/** Runs `body` with a fresh adapter, which is gone afterwards whatever happened. */
export async function withAdapter<Opened extends Adapter>(
  open: () => Opened,
  body: (client: DapClient, adapter: Opened) => Promise<void>,
): Promise<void> {
  const adapter = open();
  adapters.set(adapter.client, adapter);
  try {
    await adapter.client.request('initialize', {
      adapterID: 'kvm',
      supportsMemoryEvent: true,
      supportsInvalidatedEvent: true,
    });
    await body(adapter.client, adapter);
  } finally {
    await adapter.close();
  }
}

/** Launches the sample guest, or whatever its adapter has in its place, and leaves it before `configurationDone`. */
export async function launch(client: DapClient, attributes: Record<string, unknown> = {}): Promise<void> {
  const all = { program: SAMPLE, memory: '64M', console: 'internalConsole', ...attributes };
  const start = adapters.get(client)?.start ?? ((args) => client.request('launch', args));
  await start(all);
  await client.event('initialized');
}

/** Starts the configured guest and waits for its first stop. */
export async function runToStop(client: DapClient) {
  await client.request('configurationDone');
  return client.stopped();
}

/** Presses keys on the guest's console once it listens. */
export async function type(client: DapClient, keys: string): Promise<void> {
  await client.request('ringside/consoleInput', { data: Buffer.from(keys).toString('base64') });
}

/** Runs the guest until it has come up. */
export async function ready(client: DapClient): Promise<void> {
  await client.request('configurationDone');
  await printed(client, 'ready: type');
}

/** Waits until the guest has printed `words`, which may come in any number of pieces. */
export async function printed(client: DapClient, words: string): Promise<void> {
  let text = '';
  await client.event<{ output: string }>('output', ({ output }) => {
    text += output;
    return text.includes(words);
  });
}

/** Gives all that the adapter has printed since. */
export function outputOf(client: DapClient): () => string {
  let text = '';
  client.onMessage = (message) => {
    if ('event' in message && message.event === 'output' && 'body' in message)
      text += (message.body as { output: string }).output;
  };
  return () => text;
}

/** Launches the sample with a breakpoint at a marker, and runs to it. */
export async function stopAt(client: DapClient, name: string, attributes: Record<string, unknown> = {}) {
  await launch(client, attributes);
  const { path, line } = marker(name);
  await client.request('setBreakpoints', { source: { path }, breakpoints: [{ line }] });
  return runToStop(client);
}

/** Takes all breakpoints of a marker's file away. */
export async function clearAt(client: DapClient, name: string): Promise<void> {
  await client.request('setBreakpoints', { source: { path: marker(name).path }, breakpoints: [] });
}

export async function stack(client: DapClient, threadId = 1) {
  return (await client.request('stackTrace', { threadId })).stackFrames;
}

export async function topFrame(client: DapClient, threadId = 1) {
  const [frame] = await stack(client, threadId);
  if (!frame) throw new Error('no frame');
  return frame;
}

/** Pauses a running guest, again and again until it stops in user code. */
export async function pauseInUserCode(client: DapClient): Promise<void> {
  for (;;) {
    await client.request('pause', { threadId: 1 });
    await client.stopped();
    if ((await evaluate(client, '$cs & 3')) === '3') return;
    await client.request('continue', { threadId: 1 });
    await setTimeout(50);
  }
}

/** The task that the Tasks view shows on the first vCPU. */
export async function runningTask(client: DapClient) {
  const { tasks } = await client.request('ringside/snapshot', { threadId: 1, parts: ['tasks'] });
  const running = tasks && 'tasks' in tasks ? tasks.tasks.find(({ threadId }) => threadId === 1) : undefined;
  if (!running) throw new Error(JSON.stringify(tasks));
  return running;
}

type StepName = 'next' | 'stepIn' | 'stepOut' | 'continue';

/** One movement to the stop that ends it. */
export async function move(client: DapClient, name: StepName, args: Partial<Requests['stepIn']['arguments']> = {}) {
  await client.request(name, { threadId: 1, ...args });
  return client.stopped();
}

export async function evaluate(client: DapClient, expression: string, frameId?: number): Promise<string> {
  const where = frameId === undefined ? {} : { frameId };
  return (await client.request('evaluate', { expression, context: 'watch', ...where })).result;
}

/** Variables of one scope of a frame, or members of a variable. */
export async function variablesOf(client: DapClient, variablesReference: number) {
  return (await client.request('variables', { variablesReference })).variables;
}

export async function scopeOf(client: DapClient, frameId: number, name: string): Promise<number> {
  const { scopes } = await client.request('scopes', { frameId });
  const scope = scopes.find((candidate) => candidate.name === name);
  if (!scope) throw new Error(`no scope ${name}`);
  return scope.variablesReference;
}
