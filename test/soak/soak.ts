/**
 * A random user at a guest that runs, for some actions or for as long as RINGSIDE_SOAK_MINUTES says. A failure says the seed,
 * with which the same actions come again, and what was done last.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { RingsideEvents } from '../../debug-adapter/protocol/custom.ts';
import type { CoreAdapter } from '../adapter/core-adapter.ts';
import { Chance } from './random.ts';
import { type Playground, RandomUser } from './random-user.ts';
import { SessionModel } from './session-model.ts';

const SEED = Number(process.env['RINGSIDE_SOAK_SEED'] ?? 20261128);
const MINUTES = Number(process.env['RINGSIDE_SOAK_MINUTES'] ?? 0);
/** MiB by which the adapter and the core may grow, each, after they have warmed up: caches and traces have bounds. */
const GROWTH = 150;

/** Milliseconds that a soak adds to a session. */
export const SOAK_TIME = MINUTES * 70_000;

/** Descriptors and MiB of resident memory of a process. */
function holdings(pid: number): { readonly descriptors: number; readonly memory: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    memory: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
  };
}

/** Pauses the guest and does `actions` things with it, if no minutes are said. */
export async function soak({ client, process: { pid = 0 } }: CoreAdapter, guest: Playground, actions: number) {
  const model = new SessionModel(client, guest.cpus);
  await model.letGo(
    () => client.request('pause', { threadId: 1 }),
    60_000,
    async () => {},
  );
  for (const name of guest.functions) {
    const { result } = await client.request('evaluate', { expression: `(unsigned long)${name},x`, context: 'watch' });
    await model.remember(result);
  }
  const user = new RandomUser(client, new Chance(SEED), model, guest);
  const end = Date.now() + MINUTES * 60_000;
  const { info } = await client.event<RingsideEvents['ringside/started']>('ringside/started');
  await client.request('ringside/traceExits', { on: true });
  const processes = [pid, info.pid];
  let warm: ReturnType<typeof holdings>[] = [];
  try {
    for (let action = 0; MINUTES > 0 ? Date.now() < end : action < actions; action++) {
      await user.act();
      if (action === actions / 2) warm = processes.map(holdings);
    }
  } catch (error) {
    // Reporters show the message alone.
    throw new Error(`${error}\nseed ${SEED}, after\n${user.done.slice(-30).join('\n')}`, { cause: error });
  }
  for (const [index, { descriptors, memory }] of processes.map(holdings).entries()) {
    const name = ['the adapter', 'the core'][index];
    assert.equal(descriptors, warm[index]?.descriptors, `descriptors of ${name}`);
    const grown = memory - (warm[index]?.memory ?? 0);
    assert.ok(grown < GROWTH, `${name} grew by ${grown.toFixed(0)} MiB`);
  }
}
