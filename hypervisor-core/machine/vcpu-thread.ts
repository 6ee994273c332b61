/** The main thread's end of one vCPU worker. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { kick } from '../kvm/kick.ts';
import { RunPage } from '../kvm/run-page.ts';
import { type DebugPlan, emptyPlan } from './debug-plan.ts';
import { Mailbox, type RunMode } from './mailbox.ts';
import { mailboxOffset, runPageOffset, type WorkerSetup } from './shared.ts';
import type { VcpuReport, WorkerMessage } from './vcpu-report.ts';

export interface VcpuThreadEvents {
  parked(report: VcpuReport): void;
  /** There are new bytes in the console ring. */
  console(): void;
  /** A breakpoint's command has printed something. */
  printed(text: string): void;
  /** A device has work for the main thread. */
  work(): void;
}

/** dist/vcpu.js: beside the bundle that this is in, or one folder up for a test's bundle. */
function workerFile(): string {
  const beside = join(__dirname, 'vcpu.js');
  return existsSync(beside) ? beside : join(__dirname, '..', 'vcpu.js');
}

export class VcpuThread {
  readonly #mailbox: Mailbox;
  readonly #page: RunPage;
  readonly #worker: Worker;
  readonly #gone: Promise<unknown>;
  readonly #events: VcpuThreadEvents;
  /** Resolves when the worker waits for its first order. */
  readonly ready: Promise<void>;
  #plan: DebugPlan = emptyPlan;
  #running = false;
  #quitting = false;

  constructor(setup: WorkerSetup, events: VcpuThreadEvents) {
    this.#events = events;
    this.#mailbox = new Mailbox(setup.mailboxes, mailboxOffset(setup.index));
    this.#page = new RunPage(setup.runPages, runPageOffset(setup.index), setup.runBytes);
    this.#worker = new Worker(workerFile(), { workerData: setup, name: `vcpu${setup.index}` });
    this.#gone = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.ready = new Promise((resolve, reject) => {
      this.#worker.once('error', reject);
      this.#worker.on('message', (message: WorkerMessage) => {
        if (message.type === 'ready') resolve();
        else if (message.type === 'console') events.console();
        else if (message.type === 'printed') events.printed(message.text);
        else if (message.type === 'work') events.work();
        else this.#park(message.report);
      });
    });
    this.#worker.on('error', (error) => {
      this.#park({ kind: 'internal-error', message: `the vCPU's worker failed: ${error.message}` });
    });
  }

  /** True from {@link run} until the report of its end has arrived. */
  get running(): boolean {
    return this.#running;
  }

  /** Kernel id of the worker's thread; 0 when it is gone. */
  get tid(): number {
    return this.#mailbox.tid;
  }

  /** What KVM copied of a vCPU that has parked. */
  get page(): RunPage {
    return this.#page;
  }

  /**
   * A worker gets each plan once. With `alone`, no other vCPU runs, and a step is waited for, which makes it several times as
   * quick; it is reported later all the same.
   */
  run(mode: RunMode, plan: DebugPlan, { alone = false } = {}): void {
    this.#running = true;
    if (plan !== this.#plan) this.#worker.postMessage(plan);
    this.#plan = plan;
    if (mode.kind !== 'step' || !alone) this.#mailbox.run(mode);
    else if (this.#mailbox.step(mode)) setImmediate(() => this.#park({ kind: 'stepped' }));
  }

  /** Makes a running vCPU park soon; what it says may be something else that happened first. */
  requestStop(): void {
    this.#mailbox.requestStop();
    this.#page.immediateExit = true;
    const { tid } = this.#mailbox;
    if (tid !== 0) kick(tid);
  }

  /** Ends the worker and resolves when its thread is gone. */
  async quit(): Promise<void> {
    this.#quitting = true;
    this.requestStop();
    this.#mailbox.quit();
    await this.#gone;
  }

  #park(report: VcpuReport): void {
    if (!this.#running) return;
    this.#running = false;
    // Nobody is to decide any more that a vCPU which parks in order to quit may go on.
    if (!this.#quitting) this.#events.parked(report);
  }
}
