/** Guests that come to rest by themselves. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Machine, Stop } from '../../hypervisor-core/machine/api.ts';
import type { InterruptState } from '../../hypervisor-core/protocol/inspect.ts';

/** Milliseconds that a guest runs between two looks at it. */
const LOOK_EVERY = 50;

/** Runs the machine until its only vCPU has halted for good. Throws when something else stops it. */
export async function halted(machine: Machine): Promise<InterruptState> {
  for (;;) {
    const stopped = new Promise<Stop['reason']>((resolve) => {
      const listening = machine.onStop(({ reason }) => {
        listening.dispose();
        resolve(reason);
      });
    });
    machine.resume([{ vcpu: 0, action: { kind: 'continue' } }]);
    await delay(LOOK_EVERY);
    machine.interrupt();
    const reason = await stopped;
    if (reason.kind !== 'pause') throw new Error(`the guest stopped: ${reason.kind}`);
    const state = machine.vcpus[0]?.interrupts();
    if (state?.pending.mpState === 'halted') return state;
  }
}
