/**
 * What the main thread and one vCPU worker share: orders go in here, and a worker that has nothing to do sleeps on it.
 * What a worker has to say comes back as a message, because only messages wake an event loop.
 */

/** How far a vCPU goes once it is let go. */
export type RunMode =
  | { readonly kind: 'continue' }
  | ({ readonly kind: 'step' } & StepOptions)
  /** Steps until RIP leaves [start, end). */
  | ({ readonly kind: 'range-step'; readonly start: bigint; readonly end: bigint } & StepOptions);

export interface StepOptions {
  /** Lets the guest take interrupts while it steps; they are held off else. */
  readonly interrupts?: boolean;
}

const ORDER = { sequence: 0, command: 1, mode: 2, stop: 3, tid: 4, interrupts: 5 } as const;
const RANGE = { start: 3, end: 4 } as const;
const COMMAND = { run: 1, quit: 2 } as const;
const MODES = ['continue', 'step', 'range-step'] as const;

/** Bytes of one mailbox. */
export const MAILBOX_BYTES = 64;

export class Mailbox {
  readonly #words: Int32Array;
  readonly #range: BigInt64Array;
  /** The worker's: sequence number of the order that it knows. */
  #seen = 0;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#words = new Int32Array(memory, offset, MAILBOX_BYTES / 4);
    this.#range = new BigInt64Array(memory, offset, MAILBOX_BYTES / 8);
  }

  /** Kernel id of the worker's thread; 0 when it may not be signalled (any more). */
  get tid(): number {
    return Atomics.load(this.#words, ORDER.tid);
  }

  set tid(tid: number) {
    Atomics.store(this.#words, ORDER.tid, tid);
  }

  // ------------------------------------------------------------ main thread

  run(mode: RunMode): void {
    if (mode.kind === 'range-step') {
      this.#range[RANGE.start] = BigInt.asIntN(64, mode.start);
      this.#range[RANGE.end] = BigInt.asIntN(64, mode.end);
    }
    Atomics.store(this.#words, ORDER.mode, MODES.indexOf(mode.kind));
    Atomics.store(this.#words, ORDER.interrupts, mode.kind !== 'continue' && mode.interrupts ? 1 : 0);
    Atomics.store(this.#words, ORDER.stop, 0);
    this.#post(COMMAND.run);
  }

  quit(): void {
    this.#post(COMMAND.quit);
  }

  /** Has the worker park when KVM_RUN next returns; the caller kicks it. */
  requestStop(): void {
    Atomics.store(this.#words, ORDER.stop, 1);
  }

  #post(command: number): void {
    Atomics.store(this.#words, ORDER.command, command);
    Atomics.add(this.#words, ORDER.sequence, 1);
    Atomics.notify(this.#words, ORDER.sequence);
  }

  // ------------------------------------------------------------ worker

  get stopRequested(): boolean {
    return Atomics.load(this.#words, ORDER.stop) !== 0;
  }

  /** Sleeps until there is a new order: how to run, or undefined to quit. */
  nextOrder(): RunMode | undefined {
    Atomics.wait(this.#words, ORDER.sequence, this.#seen);
    // Before the command: an order that comes in between is then found at the next call.
    this.#seen = Atomics.load(this.#words, ORDER.sequence);
    if (Atomics.load(this.#words, ORDER.command) === COMMAND.quit) return undefined;
    const kind = MODES[Atomics.load(this.#words, ORDER.mode)] ?? 'continue';
    const interrupts = Atomics.load(this.#words, ORDER.interrupts) !== 0;
    if (kind !== 'range-step') return { kind, interrupts };
    return {
      kind,
      interrupts,
      start: BigInt.asUintN(64, this.#range[RANGE.start] ?? 0n),
      end: BigInt.asUintN(64, this.#range[RANGE.end] ?? 0n),
    };
  }
}
