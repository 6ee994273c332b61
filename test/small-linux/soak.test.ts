/** A random user on the small Linux, which is kept busy on two vCPUs. */
import { test } from 'node:test';
import { coreAdapter } from '../adapter/core-adapter.ts';
import { printed, withAdapter } from '../adapter/driving.ts';
import { COMMAND_LINE, cpu, smallLinux } from '../linux/linux-guest.ts';
import type { Playground } from '../soak/random-user.ts';
import { SOAK_TIME, soak } from '../soak/soak.ts';

const linux: Playground = {
  cpus: 2,
  // On an emulated host a trap is missed where DX is the number of a port that KVM serves: their third argument never is.
  functions: ['try_to_wake_up', 'enqueue_task_fair', 'dequeue_task_fair', 'clockevents_program_event'],
  expressions: ['jiffies_64', '$task', '$pid', '$rip', 'init_task.comm', 'nr_threads', 'sizeof(struct task_struct)'],
  variables: ['jiffies_64'],
  typed: ['hello\n', '?\n'],
};

test('whatever a user does to a busy Linux, the session stays true', () =>
  withAdapter(
    () => coreAdapter({ longest: 150_000 + SOAK_TIME }),
    async (client, adapter) => {
      await client.request('launch', {
        backend: 'kvm',
        program: smallLinux.pvh.kernel,
        initrd: smallLinux.pvh.initramfs,
        args: `${COMMAND_LINE} guest=busy`,
        memory: '256M',
        cpus: linux.cpus,
        console: 'internalConsole',
        cpu,
      });
      await client.event('initialized');
      await client.request('setExceptionBreakpoints', { filters: ['triple-fault', 'linux-panic', 'linux-oops'] });
      await client.request('configurationDone');
      await printed(client, 'guest: is busy');
      await soak(adapter, linux, 40);
    },
  ));
