/** The vCPUs view: what each vCPU does, where its time went, and what it runs. Any target tells some of it. */
import { hex } from '../../../hypervisor-core/protocol/hex.ts';
import {
  type ExitCounter,
  inspect,
  type PendingEvents,
  type VcpuTimes,
} from '../../../hypervisor-core/protocol/inspect.ts';
import type { VcpuActivity, VcpuClock, VcpuState, VcpusPart } from '../../protocol/custom.ts';
import { taskName, tasksByThread } from '../named-threads.ts';
import type { Session } from '../session.ts';
import type { StopState } from '../stop-state.ts';
import { symbolName } from './symbol-name.ts';

const ACTIVITIES: Readonly<Record<PendingEvents['mpState'], VcpuActivity>> = {
  running: 'stopped',
  stopped: 'stopped',
  uninitialized: 'waiting for INIT',
  'init-received': 'waiting for SIPI',
  'sipi-received': 'waiting for SIPI',
  halted: 'halted',
};

export async function vcpusPart(session: Session): Promise<VcpusPart> {
  const { guest } = session;
  const core = guest.target.inspect;
  const threads = await guest.threads();
  const [times, counters, tasks] = await Promise.all([
    core?.sendRequest(inspect.vcpuTimes).catch(() => undefined),
    core?.sendRequest(inspect.exitCounters).catch(() => undefined),
    tasksByThread(session, threads),
  ]);
  // Undefined also while a stop is on its way to the client.
  const state = session.presentStop;
  const states = threads.map(async ({ id }): Promise<VcpuState> => {
    const own = times?.[id - 1];
    const task = tasks.get(id);
    return {
      thread: id,
      ...(state ? await standing(state, id) : { activity: runningActivity(own) }),
      ...(task && { task: taskName(task) }),
      ...(own && { clock: clock(own), hostThread: own.threadId, statistics: own.statistics }),
      ...(counters && { exits: exitsOf(counters, id - 1) }),
    };
  });
  return { vcpus: await Promise.all(states) };
}

function runningActivity(times: VcpuTimes | undefined): VcpuActivity {
  if (times?.blocking) return 'halted';
  return times && !times.entered ? 'in user space' : 'in the guest';
}

async function standing(state: StopState, thread: number): Promise<Pick<VcpuState, 'activity' | 'rip' | 'symbol'>> {
  const { target, symbols } = state;
  const [pending, rip] = await Promise.all([
    target.inspect?.sendRequest(inspect.interrupts, { vcpu: thread - 1 }).then(
      (interrupts) => interrupts.pending,
      () => undefined,
    ),
    state.pc(thread),
  ]);
  const symbol = symbolName(symbols, rip);
  return {
    activity: pending ? ACTIVITIES[pending.mpState] : 'stopped',
    rip: hex(rip),
    ...(symbol !== undefined && { symbol }),
  };
}

/** KVM_RUN less what the guest did not have of it. */
function clock({ inKvm, inUser, halted, steal }: VcpuTimes): VcpuClock {
  return { guest: Math.max(0, inKvm - halted - steal), host: inUser, halted, steal };
}

const exitsOf = (counters: readonly ExitCounter[], vcpu: number) =>
  counters.reduce((sum, one) => (one.vcpu === vcpu && one.kind === 'reason' ? sum + one.count : sum), 0);
