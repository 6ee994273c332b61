/** What the kernel says of a thread's time: Documentation/scheduler/sched-stats.rst. Microseconds. */
import { readFileSync } from 'node:fs';

export interface ThreadTime {
  readonly onCpu: number;
  /** It was ready and had no processor. */
  readonly waited: number;
}

/** Of a thread of this process, since `before`; undefined when it is gone, or the kernel keeps no such account. */
export function threadTime(id: number, before: ThreadTime = { onCpu: 0, waited: 0 }): ThreadTime | undefined {
  try {
    const [onCpu = 0, waited = 0] = readFileSync(`/proc/self/task/${id}/schedstat`, 'latin1')
      .split(' ')
      .map((nanoseconds) => Number(nanoseconds) / 1000);
    return { onCpu: Math.max(0, onCpu - before.onCpu), waited: Math.max(0, waited - before.waited) };
  } catch {
    return undefined;
  }
}

/**
 * How long a vCPU was halted with its thread asleep. KVM counts until the thread goes on, and with it what the thread, awake
 * again, waited for a processor; that is in {@link ThreadTime.waited} already. `ran` is all of its time.
 */
export function asleep(haltWait: number, ran: number, thread: ThreadTime | undefined): number {
  return thread ? Math.min(haltWait, Math.max(0, ran - thread.onCpu - thread.waited)) : haltWait;
}
