/** A random user on the running sample guest. Short here; `npm run soak -- MINUTES [SEED]` goes on for longer. */
import { test } from 'node:test';
import type { Playground } from '../soak/random-user.ts';
import { SOAK_TIME, soak } from '../soak/soak.ts';
import { coreAdapter, noKvm } from './core-adapter.ts';
import { launch, ready, withAdapter } from './driving.ts';

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
  typed: ['?', 'c', 'l'],
};

test('whatever a user does, the session stays true', { skip: noKvm }, () =>
  withAdapter(
    () => coreAdapter({ longest: 120_000 + SOAK_TIME }),
    async (client, adapter) => {
      await launch(client, { cpus: sample.cpus });
      await ready(client);
      await soak(adapter, sample, 150);
    },
  ),
);
