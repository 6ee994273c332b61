/**
 * Who may move the guest, and when. An operation (continue, a step) resumes it as often as it needs to; work that wants
 * the guest to stand still (setting breakpoints) is let in between two resumes, or interrupts one, without the user
 * seeing a stop.
 */
import type { ResumeKind, Target, TargetStop } from '../target/target.ts';
import { GuestGone } from './errors.ts';

/** Resumes and resolves with the next stop that is not just for waiting work. */
export type Go = (thread: number, how: ResumeKind, others: 'continue' | 'stay') => Promise<TargetStop>;

interface Work {
  run(): Promise<void>;
  reject(error: unknown): void;
}

export class Runner {
  private active = false;
  private moving = false;
  private gone = false;
  private pauseAsked = false;
  private pending: Work[] = [];
  /** Who waits for the operation under way to end. */
  private readonly halted: (() => void)[] = [];
  private waiting: { resolve(stop: TargetStop): void; reject(error: Error): void } | undefined;

  constructor(private readonly target: Target) {
    target.onStop((stop) => {
      this.moving = false;
      this.waiting?.resolve(stop);
    });
    target.onEnd(() => this.abandon());
    target.onLost(() => this.abandon());
  }

  /** The guest is gone, or is no more ours: an operation under way ends without a report. */
  abandon(): void {
    this.gone = true;
    this.moving = false;
    this.waiting?.reject(new GuestGone('the guest is gone'));
    for (const work of this.pending.splice(0)) work.reject(new GuestGone('the guest is gone'));
  }

  /** True from the start of an operation until its stop is reported. */
  get running(): boolean {
    return this.active;
  }

  /**
   * Starts an operation and resolves when the guest is on its way, or stopped again. `report` gets the stop that ends
   * it, or the error that broke it; neither when the guest is gone, which the target reports itself.
   */
  async start(operation: (go: Go) => Promise<TargetStop>, report: (stop: TargetStop, error?: unknown) => void) {
    this.active = true;
    this.pauseAsked = false;
    let onWay: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      onWay = resolve;
    });
    const finish = async () => {
      let last: TargetStop | undefined;
      let failure: unknown;
      try {
        last = await operation(async (...how) => {
          last = await this.go(onWay, ...how);
          return last;
        });
      } catch (error) {
        failure = error;
      }
      while (this.pending.length > 0) await this.runPending();
      this.active = false;
      onWay();
      const halted = this.halted.splice(0);
      for (const resolve of halted) resolve();
      if (this.gone || halted.length > 0) return;
      const stop = last ?? { thread: 1, reason: { kind: 'pause' } };
      // The answer to the request that started this goes out first: clients take a stop before it for an earlier one.
      setImmediate(() => report(stop, failure));
    };
    void finish();
    await started;
  }

  /** Asks the operation under way to end with a stop of kind `pause`. */
  async pause(): Promise<void> {
    this.pauseAsked = true;
    if (this.moving) await this.target.interrupt();
  }

  /** Ends the operation under way, if there is one, without a report of its stop; resolves when it has ended. */
  async halt(): Promise<void> {
    if (!this.active) return;
    const ended = new Promise<void>((resolve) => this.halted.push(resolve));
    await this.pause();
    await ended;
  }

  /** Runs `work` while the guest stands still, at once when it does. */
  whileStopped<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.gone) return Promise.reject(new GuestGone('the guest is gone'));
    if (!this.active) return work();
    return new Promise<Result>((resolve, reject) => {
      this.pending.push({ run: () => work().then(resolve, reject), reject });
      if (this.moving && this.pending.length === 1) this.target.interrupt().catch(reject);
    });
  }

  private async go(onWay: () => void, thread: number, how: ResumeKind, others: 'continue' | 'stay') {
    for (;;) {
      while (this.pending.length > 0) await this.runPending();
      if (this.gone) throw new GuestGone('the guest is gone');
      if (this.pauseAsked) return { thread, reason: { kind: 'pause' } } satisfies TargetStop;
      const stopped = new Promise<TargetStop>((resolve, reject) => {
        this.waiting = { resolve, reject };
      });
      // A refused resume leaves nobody waiting for this promise.
      stopped.catch(() => undefined);
      this.moving = true;
      try {
        await this.target.resume(thread, how, others);
      } catch (error) {
        this.moving = false;
        throw error;
      }
      onWay();
      const stop = await stopped;
      const forWork = stop.reason.kind === 'pause' && !this.pauseAsked && this.pending.length > 0;
      if (!forWork) return stop;
    }
  }

  /** The caller must look again afterwards: what is asked for while this promise resolves is not run by it. */
  private async runPending(): Promise<void> {
    for (let work = this.pending.shift(); work; work = this.pending.shift()) await work.run();
  }
}
