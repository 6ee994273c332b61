/**
 * A random user on the running sample guest. Short here; `npm run soak -- MINUTES [SEED]` goes on for longer. A failure says
 * the seed, with which the same actions come again, and what was done last.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { RingsideEvents } from '../../debug-adapter/protocol/custom.ts';
import { Chance } from '../soak/random.ts';
import { type Playground, RandomUser } from '../soak/random-user.ts';
import { SessionModel } from '../soak/session-model.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { launch, ready, withAdapter } from './driving.ts';

const SEED = Number(process.env['RINGSIDE_SOAK_SEED'] ?? 20261128);
const MINUTES = Number(process.env['RINGSIDE_SOAK_MINUTES'] ?? 0);
/** Actions where no time is said. */
const ACTIONS = 150;
/** MiB by which the adapter and the core may grow, each, after they have warmed up: caches and traces have bounds. */
const GROWTH = 150;

const sample: Playground = {
  cpus: 2,
  functions: [
    'schedule',
    'interrupt_dispatch',
    'scheduler_pick',
    'pic_end_of_interrupt',
    'lapic_end_of_interrupt',
    'print',
  ],
  expressions: ['ticks', '&ticks', 'task_list', '$rip', '$rsp + 8', '*(unsigned long *)$rsp', 'sizeof(struct task)'],
  variables: ['ticks'],
  keys: '?cl',
};

/** Descriptors and MiB of resident memory of a process. */
function holdings(pid: number): { readonly descriptors: number; readonly memory: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    memory: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
  };
}

test('whatever a user does, the session stays true', { skip: noKvm }, () =>
  withAdapter(
    () => coreAdapter({ longest: 120_000 + MINUTES * 70_000 }),
    async (client, { process: { pid = 0 } }) => {
      const model = new SessionModel(client, sample.cpus);
      await launch(client, { cpus: sample.cpus });
      await ready(client);
      const pause = () => client.request('pause', { threadId: 1 });
      await model.letGo(pause, 60_000, async () => {});
      for (const name of sample.functions) {
        const { result } = await client.request('evaluate', {
          expression: `(unsigned long)${name},x`,
          context: 'watch',
        });
        await model.remember(result);
      }
      const user = new RandomUser(client, new Chance(SEED), model, sample);
      const end = Date.now() + MINUTES * 60_000;
      const { info } = await client.event<RingsideEvents['ringside/started']>('ringside/started');
      await client.request('ringside/traceExits', { on: true });
      const processes = [pid, info.pid];
      let warm: ReturnType<typeof holdings>[] = [];
      try {
        for (let action = 0; MINUTES > 0 ? Date.now() < end : action < ACTIONS; action++) {
          await user.act();
          if (action === ACTIONS / 2) warm = processes.map(holdings);
        }
      } catch (error) {
        throw new Error(`seed ${SEED}, after\n${user.done.slice(-30).join('\n')}`, { cause: error });
      }
      for (const [index, { descriptors, memory }] of processes.map(holdings).entries()) {
        const name = ['the adapter', 'the core'][index];
        assert.equal(descriptors, warm[index]?.descriptors, `descriptors of ${name}`);
        const grown = memory - (warm[index]?.memory ?? 0);
        assert.ok(grown < GROWTH, `${name} grew by ${grown.toFixed(0)} MiB`);
      }
    },
  ),
);
