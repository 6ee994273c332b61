/**
 * Who runs and who stands. Three states: stopped, running, ended. While running, vCPUs that stand on a trap are first
 * stepped off it one by one with everybody else standing; then all of the plan are let go. The first vCPU with
 * something to tell stops all; what others ran into at the same time is kept and told when they are next let go.
 */
import type { GuestEnd, MachineState } from '../protocol/inspect.ts';
import type { ResumeAction, Stop } from './api.ts';
import { EXCEPTIONS, handlersOf, INTERRUPTS } from './exception-frame.ts';
import { Listeners } from './listeners.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { RunMode } from './mailbox.ts';
import { classify, type StopContext } from './stop-reason.ts';
import { clearTrapFlag, inUserCode, setTrapFlag } from './user-gate.ts';
import type { VcpuReport } from './vcpu-report.ts';

export interface RunControlParts extends StopContext {
  readonly vcpus: readonly MachineVcpu[];
  /** Guest time goes on, and stands still. */
  readonly clock: { start(): void; stop(): void };
}

/** A vCPU that is to be stepped off a trap or to take an interrupt or exception, whose vector need not be known. */
interface Errand {
  readonly vcpu: MachineVcpu;
  readonly delivery?: { readonly vector: number | undefined };
}

interface KeptStop {
  readonly stop: Stop;
  /** The stop is told only if the vCPU still stands here. */
  readonly pc: bigint;
}

/** Milliseconds between two notes to the guest that it was paused. */
const PAUSE_NOTES = 100;

const isFatal = ({ reason: { kind } }: Stop) =>
  kind === 'triple-fault' || kind === 'emulation-failure' || kind === 'internal-error';

export class RunControl {
  readonly onStop = new Listeners<Stop>();
  readonly onState = new Listeners<MachineState>();
  readonly #parts: RunControlParts;
  #state: MachineState = { kind: 'stopped' };
  /** How far each vCPU that was let go is to run. */
  #plan: ReadonlyMap<MachineVcpu, RunMode> = new Map();
  /** What is to be done alone, one by one, before all are let go. */
  #queue: Errand[] = [];
  /** The vCPU that is on its errand. */
  #alone: MachineVcpu | undefined;
  /** What the machine stops with, once nobody runs. */
  #stop: Stop | undefined;
  #pause = false;
  #end: GuestEnd | undefined;
  /** When the guest was last told that it had been paused, in milliseconds. */
  #pauseNoted = 0;
  /** Somebody changes the machine as a whole, and nobody may be let go. */
  #changing = false;
  /** vCPUs that step through user code by RFLAGS.TF. */
  readonly #trapFlagged = new Set<MachineVcpu>();
  readonly #kept = new Map<MachineVcpu, KeptStop>();

  constructor(parts: RunControlParts) {
    this.#parts = parts;
  }

  get state(): MachineState {
    return this.#state;
  }

  resume(actions: readonly ResumeAction[]): void {
    if (this.#state.kind !== 'stopped') throw new Error(`The guest cannot be resumed: it is ${this.#state.kind}.`);
    if (this.#changing) throw new Error('The guest cannot be resumed before its snapshot is done.');
    const plan = new Map(actions.map(({ vcpu, action }) => [this.#vcpu(vcpu), action] as const));
    if (plan.size === 0) throw new Error('No vCPU was named to be resumed.');
    this.#plan = plan;
    this.#pause = false;
    this.#stop = undefined;
    for (const vcpu of plan.keys()) this.#recall(vcpu);
    this.#enter({ kind: 'running' });
    // Listeners are never called from inside `resume`, so what is known already is told later.
    if (this.#stop || this.#end) setImmediate(() => this.#settle());
    else this.#start();
  }

  interrupt(): void {
    if (this.#state.kind !== 'running') return;
    this.#pause = true;
    this.#stopAll();
  }

  /** Has all vCPUs come out of the guest for a moment and go on with what they are to stop on now. */
  rearm(): void {
    if (this.#state.kind === 'running') this.#stopAll();
  }

  /**
   * Runs `body`, which may change all of the machine, while nobody runs and nobody can be let go. With `anew`, the machine
   * stands before its next instruction afterwards, whatever it stopped or ended with. Throws when it runs.
   */
  async exclusively(anew: boolean, body: () => Promise<void>): Promise<void> {
    if (this.#state.kind === 'running') throw new Error('The guest is running; pause it first.');
    if (this.#changing) throw new Error('Another snapshot of the guest is not done yet.');
    this.#changing = true;
    try {
      await body();
    } finally {
      this.#changing = false;
    }
    if (!anew) return;
    this.#kept.clear();
    this.#end = undefined;
    this.#stop = undefined;
    this.#enter({ kind: 'stopped' });
    this.onStop.emit({ vcpu: 0, reason: { kind: 'entry' } });
  }

  /** Ends the guest as soon as no vCPU runs. */
  end(end: GuestEnd): void {
    if (this.#state.kind === 'ended') return;
    this.#end ??= end;
    this.#stopAll();
    if (!this.#anyRunning) this.#settle();
  }

  /** To be called with what a vCPU's worker says when it parks. */
  parked(vcpu: MachineVcpu, report: VcpuReport): void {
    vcpu.registers.cameOut(vcpu.thread.page);
    if (report.kind === 'end') this.#end ??= report.end;
    const wasAlone = this.#alone === vcpu;
    this.#alone = undefined;
    const mode = this.#plan.get(vcpu) ?? { kind: 'continue' };
    const finding = classify(vcpu, report, this.#parts);
    if (this.#trapFlagged.delete(vcpu) && inUserCode(vcpu)) clearTrapFlag(vcpu);
    const found = typeof finding === 'object' && finding.kind === 'step' ? afterStep(vcpu, mode) : finding;
    if (found === 'go-on' && !this.#stopping && !wasAlone) {
      this.#run(vcpu, mode);
      return;
    }
    const errand = errandOf(vcpu, found);
    if (errand) this.#queue.push(errand);
    else if (typeof found === 'object' && found.kind !== 'deliver')
      this.#tell(vcpu, { vcpu: vcpu.index, reason: found });
    if (this.#stopping || errand || found === 'arm') this.#stopAll();
    if (!this.#anyRunning) this.#settle();
  }

  get #stopping(): boolean {
    return this.#stop !== undefined || this.#end !== undefined || this.#pause;
  }

  get #anyRunning(): boolean {
    return this.#parts.vcpus.some(({ thread }) => thread.running);
  }

  #vcpu(index: number): MachineVcpu {
    const vcpu = this.#parts.vcpus[index];
    if (!vcpu) throw new RangeError(`There is no vCPU ${index}; the machine has ${this.#parts.vcpus.length}.`);
    return vcpu;
  }

  #start(): void {
    this.#notePause();
    this.#parts.clock.start();
    if (!this.#stepsAlone || !this.#parts.breakpoints.inPlace) this.#armForAll();
    this.#queue = [...this.#plan.keys()]
      .filter((vcpu) => this.#parts.breakpoints.blocks(vcpu.pc))
      .map((vcpu) => ({ vcpu }));
    if (this.#queue.length > 0) this.#letGo();
    else this.#runAll();
  }

  /** A guest's watchdogs measure in seconds: between steps that follow each other it need not hear of each pause. */
  #notePause(): void {
    const now = performance.now();
    if (now - this.#pauseNoted < PAUSE_NOTES) return;
    this.#pauseNoted = now;
    for (const { kvm } of this.#parts.vcpus) kvm.noteClockPaused();
  }

  /** One instruction, of each: it runs into no trap but the one that it stands on, and moves no code. */
  get #stepsAlone(): boolean {
    return [...this.#plan].every(([vcpu, mode]) => mode.kind === 'step' && !stepsUserCode(vcpu, mode));
  }

  #armForAll(): void {
    this.#parts.breakpoints.arm({ stepping: [...this.#plan].some(([vcpu, mode]) => stepsUserCode(vcpu, mode)) });
  }

  #runAll(): void {
    for (const [vcpu, mode] of this.#plan) this.#run(vcpu, mode);
  }

  /** Sends the next vCPU on its errand, or lets all of the plan go when there is none left. */
  #letGo(): void {
    const next = this.#queue.shift();
    if (next) this.#runAlone(next);
    else {
      this.#armForAll();
      this.#runAll();
    }
  }

  #runAlone({ vcpu, delivery }: Errand): void {
    const { breakpoints, memory, strategy } = this.#parts;
    this.#alone = vcpu;
    if (delivery === undefined) {
      const step: RunMode = { kind: 'step' };
      breakpoints.arm({ skip: vcpu.pc, stepping: stepsUserCode(vcpu, step) });
      this.#run(vcpu, step);
    } else {
      const { vector } = delivery;
      // What it could not do comes again by itself, and is one instruction. An interpreter lets interrupts in only now and then.
      const stepped = (vector === undefined || strategy.emulatedSupervisor) && !inUserCode(vcpu);
      const interrupt = vector !== undefined && vector > EXCEPTIONS.last;
      // An interpreter may take another one than was seen to wait: of another controller, or sent since.
      const others = interrupt && strategy.emulatedSupervisor ? INTERRUPTS : undefined;
      const vectors = others ?? (vector === undefined ? EXCEPTIONS : { first: vector, last: vector });
      breakpoints.arm({ delivery: { handlers: handlersOf(vcpu, memory, vectors), stepped, interrupt } });
      this.#run(vcpu, stepped ? { kind: 'step', interrupts: vector !== undefined } : { kind: 'continue' });
    }
  }

  #run(vcpu: MachineVcpu, mode: RunMode): void {
    const { breakpoints, strategy } = this.#parts;
    const byTrapFlag =
      mode.kind !== 'continue' && strategy.userVector !== undefined && !strategy.userSteps && inUserCode(vcpu);
    if (byTrapFlag) {
      setTrapFlag(vcpu);
      this.#trapFlagged.add(vcpu);
    }
    const how: RunMode = byTrapFlag ? { kind: 'continue' } : mode;
    vcpu.registers.forget();
    vcpu.thread.run(how, breakpoints.plan, { alone: this.#alone === vcpu || this.#plan.size === 1 });
  }

  #stopAll(): void {
    for (const { thread } of this.#parts.vcpus) if (thread.running) thread.requestStop();
  }

  /** The first stop is the machine's; others that would be lost are kept for later. */
  #tell(vcpu: MachineVcpu, stop: Stop): void {
    if (isFatal(stop)) this.#kept.set(vcpu, { stop, pc: vcpu.pc });
    else if (this.#stop && stop.reason.kind !== 'step') this.#kept.set(vcpu, { stop, pc: vcpu.pc });
    this.#stop ??= stop;
  }

  /** Looks at what was kept of a vCPU that is to run: a stop to be told now, or a fault that nothing was done about. */
  #recall(vcpu: MachineVcpu): void {
    const kept = this.#kept.get(vcpu);
    if (!kept) return;
    this.#kept.delete(vcpu);
    const { reason } = kept.stop;
    if (reason.kind === 'triple-fault') this.#end ??= endOf(reason);
    else if (kept.pc !== vcpu.pc) return;
    else if (isFatal(kept.stop)) this.#end ??= endOf(reason);
    else if (reason.kind !== 'breakpoint' || this.#parts.breakpoints.wants(reason.address)) this.#tell(vcpu, kept.stop);
  }

  /** Nobody runs: stop, end, or go on after something that was nobody's business. */
  #settle(): void {
    const [first] = this.#plan.keys();
    if (this.#end) {
      this.#rest({ kind: 'ended', end: this.#end });
      return;
    }
    if (!this.#stop && this.#pause && first) this.#stop = { vcpu: first.index, reason: { kind: 'pause' } };
    const stop = this.#stop;
    if (!stop) {
      this.#letGo();
      return;
    }
    if (!this.#stepsAlone) this.#parts.breakpoints.follow();
    this.#rest({ kind: 'stopped' });
    this.onStop.emit(stop);
  }

  #rest(state: MachineState): void {
    this.#queue = [];
    this.#parts.clock.stop();
    this.#enter(state);
  }

  #enter(state: MachineState): void {
    this.#state = state;
    this.onState.emit(state);
  }
}

/** True when a vCPU is to step an instruction of user code, as far as can be known now. */
const stepsUserCode = (vcpu: MachineVcpu, { kind }: RunMode): boolean =>
  kind === 'range-step' || (kind === 'step' && inUserCode(vcpu));

function errandOf(vcpu: MachineVcpu, found: ReturnType<typeof classify>): Errand | undefined {
  if (found === 'step-off') return { vcpu };
  return typeof found === 'object' && found.kind === 'deliver' ? { vcpu, delivery: found } : undefined;
}

/** What a step means for a vCPU that was to run so far. */
function afterStep(vcpu: MachineVcpu, mode: RunMode): Stop['reason'] | 'go-on' {
  if (mode.kind === 'continue') return 'go-on';
  const { pc } = vcpu;
  return mode.kind === 'range-step' && pc >= mode.start && pc < mode.end ? 'go-on' : { kind: 'step' };
}

/** How the guest ends when it is let go after a fault without a change to its registers. */
function endOf(reason: Stop['reason']): GuestEnd {
  const cause = reason.kind === 'triple-fault' ? 'triple-fault' : 'error';
  return { cause, exitStatus: 1, message: 'message' in reason ? reason.message : 'The guest cannot go on.' };
}
