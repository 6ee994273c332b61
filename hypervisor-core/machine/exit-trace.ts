/** Exits and times of all vCPUs as the servers see them, while the guest runs, too. */
import type { KvmStats } from '../kvm/stats.ts';
import { hex } from '../protocol/hex.ts';
import type { ExitBatch, ExitCounter, ExitRecord, VcpuTimes } from '../protocol/inspect.ts';
import { msrName } from '../protocol/msr-names.ts';
import type { ExitEvent } from '../trace/exit-ring.ts';
import type { Machine } from './api.ts';
import { ExitMemory } from './exit-memory.ts';
import { asleep, type ThreadTime, threadTime } from './thread-time.ts';

/** Where a port or an address belongs. */
interface Place {
  readonly device: string;
  readonly register?: string;
}

export interface ExitTraceParts {
  readonly memory: SharedArrayBuffer;
  readonly cpus: number;
  readonly stats: readonly (KvmStats | undefined)[];
  /** Kernel id of the thread of a vCPU; 0 when it is gone. */
  readonly threadId: (vcpu: number) => number;
  readonly portName: (port: number, write: boolean) => Place | undefined;
}

export class ExitTrace {
  readonly #parts: ExitTraceParts;
  readonly #memories: readonly ExitMemory[];
  #tracers = 0;
  /** The time of each thread before it ran its vCPU. */
  readonly #before = new Map<number, ThreadTime>();

  constructor(parts: ExitTraceParts) {
    this.#parts = parts;
    this.#memories = Array.from({ length: parts.cpus }, (_, vcpu) => new ExitMemory(parts.memory, vcpu));
  }

  readonly api: Machine['exits'] = {
    trace: () => this.#trace(),
    read: (from, limit) => this.#read(from, limit),
    counters: () =>
      this.#memories.flatMap(({ counters }, vcpu) =>
        counters.read().map(({ kind, reason, key, count, time }): ExitCounter => {
          const counter = { vcpu, kind, count, time, ...(reason && { reason }) };
          if (kind === 'reason' || !reason) return counter;
          return { ...counter, address: hex(key), ...(kind === 'place' && this.#place(reason, key)) };
        }),
      ),
    times: () => this.#memories.map((memory, vcpu) => this.#times(memory, vcpu)),
  };

  /** To be called when the thread of a vCPU is ready: its time until then is none of the guest's. */
  begin(vcpu: number): void {
    const time = threadTime(this.#parts.threadId(vcpu));
    if (time) this.#before.set(vcpu, time);
  }

  /** Exits are written down until the last of those who asked for it lets go. */
  #trace(): ReturnType<Machine['exits']['trace']> {
    let held = true;
    this.#count(1);
    return {
      from: this.#memories.map(({ ring }) => ring.total),
      dispose: () => {
        if (held) this.#count(-1);
        held = false;
      },
    };
  }

  #count(change: number): void {
    this.#tracers += change;
    for (const memory of this.#memories) memory.tracing = this.#tracers > 0;
  }

  /** The oldest of all vCPUs together, in the order of their times. */
  #read(from: readonly number[], limit: number): ExitBatch {
    const readings = this.#memories.map(({ ring }, vcpu) => ring.read(from[vcpu] ?? 0, limit));
    const all = readings.flatMap(({ events }, vcpu) => events.map((event) => ({ vcpu, event })));
    const taken = all.sort((a, b) => a.event.time - b.event.time).slice(0, limit);
    const next = readings.map(({ events, dropped }, vcpu) => {
      const own = taken.filter((one) => one.vcpu === vcpu);
      // Nothing of this vCPU may be skipped: what was lost counts as read.
      return (own.at(-1)?.event.sequence ?? (events[0]?.sequence ?? (from[vcpu] ?? 0) + dropped) - 1) + 1;
    });
    return {
      records: taken.map(({ vcpu, event }) => this.#record(vcpu, event)),
      next,
      dropped: readings.reduce((sum, { dropped }) => sum + dropped, 0),
      total: readings.reduce((sum, { total }) => sum + total, 0),
    };
  }

  #record(vcpu: number, event: ExitEvent): ExitRecord {
    const { sequence, time, duration, reason, size, count } = event;
    const record = { sequence, vcpu, time, duration, reason, rip: hex(event.rip) };
    if (size === 0) return record;
    const access = { address: hex(event.address), size, count, value: hex(event.value) };
    return { ...record, ...access, ...this.#place(reason, event.address) };
  }

  #place(reason: ExitRecord['reason'], address: bigint): Place | undefined {
    if (reason === 'msr-read' || reason === 'msr-write') return { device: 'MSR', register: msrName(Number(address)) };
    const port = reason === 'port-in' || reason === 'port-out';
    return port ? this.#parts.portName(Number(address), reason === 'port-out') : undefined;
  }

  #times(memory: ExitMemory, vcpu: number): VcpuTimes {
    const { inKvm, inUser, entered } = memory.spent;
    const statistics = this.#parts.stats[vcpu]?.read() ?? new Map<string, number>();
    const microseconds = (name: string) => (statistics.get(name) ?? 0) / 1000;
    const threadId = this.#parts.threadId(vcpu);
    const thread = threadTime(threadId, this.#before.get(vcpu));
    const polled = microseconds('halt_poll_success_ns') + microseconds('halt_poll_fail_ns');
    return {
      vcpu,
      threadId,
      inKvm,
      inUser,
      entered,
      halted: polled + asleep(microseconds('halt_wait_ns'), inKvm + inUser, thread),
      steal: thread?.waited ?? 0,
      blocking: statistics.get('blocking') === 1,
      statistics: Object.fromEntries(statistics),
    };
  }
}
