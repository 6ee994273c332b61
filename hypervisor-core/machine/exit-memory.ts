/** The shared memory of one vCPU's exits: how long it ran, counters, and the ring that is written while somebody traces. */
import { EXIT_COUNTERS_BYTES, ExitCounters } from '../trace/exit-counters.ts';
import { ExitRing, exitRingBytes } from '../trace/exit-ring.ts';

const TRACING = 0;
const IN_KVM = 1;
const IN_USER = 2;
const ENTERED = 3;
const TIMES_BYTES = 32;

/** Bytes for one vCPU. */
export const EXIT_MEMORY_BYTES = TIMES_BYTES + EXIT_COUNTERS_BYTES + exitRingBytes();

/** Of this thread's clock, milliseconds. */
const { timeOrigin } = performance;

/** Microseconds by a clock that all threads of the process share. */
export const absoluteMicroseconds = (): number => (timeOrigin + performance.now()) * 1000;

export class ExitMemory {
  readonly counters: ExitCounters;
  readonly ring: ExitRing;
  readonly #times: Float64Array;
  readonly #flags: Int32Array;

  constructor(memory: SharedArrayBuffer, vcpu: number) {
    const offset = vcpu * EXIT_MEMORY_BYTES;
    this.#times = new Float64Array(memory, offset, TIMES_BYTES / 8);
    this.#flags = new Int32Array(memory, offset, 2);
    this.counters = new ExitCounters(memory, offset + TIMES_BYTES);
    this.ring = new ExitRing(memory, offset + TIMES_BYTES + EXIT_COUNTERS_BYTES);
  }

  get tracing(): boolean {
    return this.#flags[TRACING] !== 0;
  }

  set tracing(on: boolean) {
    Atomics.store(this.#flags, TRACING, on ? 1 : 0);
  }

  addInKvm(microseconds: number): void {
    this.#times[IN_KVM] = (this.#times[IN_KVM] ?? 0) + microseconds;
  }

  addInUser(microseconds: number): void {
    this.#times[IN_USER] = (this.#times[IN_USER] ?? 0) + microseconds;
  }

  /** Since when the vCPU is inside KVM_RUN; 0 while it is not. */
  set enteredAt(time: number) {
    this.#times[ENTERED] = time;
  }

  /** Microseconds inside KVM_RUN, the present stay included, and in user space for its exits. */
  get spent(): { readonly inKvm: number; readonly inUser: number; readonly entered: boolean } {
    const [entered = 0, inKvm = 0, inUser = 0] = [ENTERED, IN_KVM, IN_USER].map((at) => this.#times[at]);
    const now = entered === 0 ? 0 : Math.max(0, absoluteMicroseconds() - entered);
    return { inKvm: inKvm + now, inUser, entered: entered !== 0 };
  }
}
