/**
 * What the main thread and one vCPU worker share: orders go in here, and a worker that has nothing to do sleeps on it.
 * What a worker has to say comes back as a message, because only messages wake an event loop.
 */

import { AwakeWait } from './awake-wait.ts';

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

const ORDER = { sequence: 0, command: 1, mode: 2, stop: 3, tid: 4, interrupts: 5, awaited: 10 } as const;
const RANGE = { start: 3, end: 4 } as const;
/** Of `awaited`: whether the main thread waits until a step is done. */
const AWAITED = { no: 0, yes: 1, stepped: 2 } as const;
const COMMAND = { run: 1, quit: 2 } as const;
const MODES = ['continue', 'step', 'range-step'] as const;

/** Bytes of one mailbox. */
export const MAILBOX_BYTES = 64;

export class Mailbox {
  readonly #words: Int32Array;
  readonly #range: BigInt64Array;
  /** The worker's: sequence number of the order that it knows, and whether that is a step. */
  #seen = 0;
  #steps = false;
  /** The main thread's, for a step, most of which take a few hundredths of a millisecond. */
  readonly #stepWait = new AwakeWait(0.3);
  /** The worker's, for the next step of a client that takes many. */
  readonly #nextStepWait = new AwakeWait(0.5);

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

  /**
   * As {@link run}, and waits a moment for the end of the step. True when it is done and there is nothing else to say; else a
   * message will say how it ended.
   */
  step(mode: RunMode): boolean {
    Atomics.store(this.#words, ORDER.awaited, AWAITED.yes);
    this.run(mode);
    this.#stepWait.until(this.#words, ORDER.awaited, AWAITED.yes);
    return Atomics.exchange(this.#words, ORDER.awaited, AWAITED.no) === AWAITED.stepped;
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

  /** Says that a step is done and nothing else. False when nobody waits for that, and a message has to say it. */
  stepped(): boolean {
    return Atomics.compareExchange(this.#words, ORDER.awaited, AWAITED.yes, AWAITED.stepped) === AWAITED.yes;
  }

  /** Sleeps until there is a new order: how to run, or undefined to quit. */
  nextOrder(): RunMode | undefined {
    if (this.#steps) this.#nextStepWait.until(this.#words, ORDER.sequence, this.#seen);
    Atomics.wait(this.#words, ORDER.sequence, this.#seen);
    // Before the command: an order that comes in between is then found at the next call.
    this.#seen = Atomics.load(this.#words, ORDER.sequence);
    if (Atomics.load(this.#words, ORDER.command) === COMMAND.quit) return undefined;
    const kind = MODES[Atomics.load(this.#words, ORDER.mode)] ?? 'continue';
    this.#steps = kind === 'step';
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
