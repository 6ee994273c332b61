/** Guests that come to rest by themselves. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Machine } from '../../hypervisor-core/machine/api.ts';
import type { InterruptState } from '../../hypervisor-core/protocol/inspect.ts';

/** Milliseconds that a guest runs between two looks at it. */
const LOOK_EVERY = 50;

/** Runs the machine until its only vCPU has halted for good. */
export async function halted(machine: Machine): Promise<InterruptState> {
  for (;;) {
    const stopped = new Promise<void>((resolve) => {
      const listening = machine.onStop(() => {
        listening.dispose();
        resolve();
      });
    });
    machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]);
    await delay(LOOK_EVERY);
    machine.interrupt();
    await stopped;
    const state = machine.vcpus[0]?.interrupts();
    if (state?.pending.mpState === 'halted') return state;
  }
}
