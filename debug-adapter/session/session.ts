/**
 * One debug session: a guest under a target, what is known of it at its present stop, and the events that tell the
 * client. Handlers are given this; what they must not see of each other stays out of it.
 */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { EvaluationContext } from '../expressions/api.ts';
import { createExpressions } from '../expressions/expressions.ts';
import type { RingsideEventName, RingsideEvents } from '../protocol/custom.ts';
import type { Frame } from '../symbols/api.ts';
import type { TargetEnd, TargetStop } from '../target/target.ts';
import { describeBreakpoint } from './breakpoint-description.ts';
import { candidates, type HitReport, hitsAt } from './breakpoint-hits.ts';
import { BreakpointTable, type UserBreakpoint } from './breakpoint-table.ts';
import { crashReport } from './crash-report.ts';
import { describeError, guestEnded, guestRunning, noSuchThread, notLaunched, staleReference } from './errors.ts';
import { ExceptionFilters } from './exception-filters.ts';
import { FollowedParts } from './followed-parts.ts';
import type { Guest, StartArguments, StartTarget } from './guest.ts';
import { GuestCalls } from './guest-calls.ts';
import { Handles } from './handles.ts';
import { LastState } from './last-state.ts';
import { LogOutput } from './log-output.ts';
import { MODULE_TRAPS, ModuleSymbols } from './module-symbols.ts';
import type { Go } from './runner.ts';
import { SlideSearch } from './slide-search.ts';
import { PageScans } from './state/page-scans.ts';
import { StopRequests } from './stop-requests.ts';
import { StopState } from './stop-state.ts';
import { crashOf, describeStop, type Movement } from './stops.ts';
import type { Reference } from './variable-references.ts';

/** Exit status of a guest that was killed, as a shell says it of a process. */
const KILLED = 137;

export interface EventSink {
  event(name: string, body: unknown): void;
  ringside<Name extends RingsideEventName>(name: Name, body: RingsideEvents[Name]): void;
  /** Does work when requests that came before are answered; those that come later wait for it. It must not reject. */
  inTurn(work: () => Promise<void>): void;
}

/** A frame that the client was told of, by its place in the stack: what it holds is fetched anew after a write. */
export interface FramePlace {
  readonly thread: number;
  readonly index: number;
}

export interface ShownFrame extends FramePlace {
  readonly frame: Frame;
  readonly context: EvaluationContext;
}

/** A breakpoint that the user does not see. */
const isOwn = ({ request: { kind } }: UserBreakpoint) => kind === 'modules' || kind === 'code';

/** Moves the guest; gets the state it starts from and a way to look at each stop between. */
export type Operation = (go: Go, from: StopState, look: (stop: TargetStop) => StopState) => Promise<TargetStop>;

export class Session {
  readonly expressions = createExpressions();
  readonly breakpoints = new BreakpointTable(this.expressions);
  private readonly logs = new LogOutput({
    log: (id, text) => this.showLog(text, this.breakpoints.withId(id)),
    complain: (message) => this.print(`${message}\n`, 'stderr'),
  });
  readonly stopRequests = new StopRequests();
  readonly guestCalls = new GuestCalls((traps) => this.breakpoints.replace('code', traps));
  readonly exceptions = new ExceptionFilters(this.expressions, this.stopRequests);
  readonly frames = new Handles<FramePlace>();
  readonly references = new Handles<Reference>();
  /** How to end what takes long, by the id of its progress. */
  readonly cancels = new Map<string, () => void>();
  /** Addresses that the client was offered at this stop: lines to jump to, calls to step into. */
  readonly offered = new Handles<bigint>();
  readonly last = new LastState();
  readonly followed = new FollowedParts();
  /** Page tables as they were at earlier stops of this guest. */
  readonly pageScans = new PageScans();
  /** What the client said of itself in `initialize`. */
  client: Partial<DebugProtocol.InitializeRequestArguments> = {};
  startArguments: StartArguments | undefined;

  private present: Guest | undefined;
  private ended = false;
  private closed = false;
  private slide: SlideSearch | undefined;
  private modules: ModuleSymbols | undefined;
  private stop: StopState | undefined;

  constructor(
    readonly send: EventSink,
    readonly capabilities: DebugProtocol.Capabilities,
    readonly startTarget: StartTarget,
  ) {}

  get launched(): boolean {
    return this.present !== undefined;
  }

  /** The guest, unless there is none or it has ended. */
  get living(): Guest | undefined {
    return this.ended ? undefined : this.present;
  }

  /** The guest; throws when there is none, or none any more. */
  get guest(): Guest {
    if (this.ended) throw guestEnded();
    if (!this.present) throw notLaunched();
    return this.present;
  }

  /** The present stop; throws while the guest runs. */
  get stopped(): StopState {
    const { guest } = this;
    if (guest.runner.running || !this.stop) throw guestRunning();
    return this.stop;
  }

  /** The present stop, unless there is none. */
  get presentStop(): StopState | undefined {
    return this.living?.runner.running ? undefined : this.stop;
  }

  /** The stop of a vCPU; throws for one that does not exist. */
  async stoppedThread(thread: unknown): Promise<{ state: StopState; thread: number }> {
    const state = this.stopped;
    const found = (await this.guest.threads()).find(({ id }) => id === thread);
    if (!found) throw noSuchThread(thread);
    return { state, thread: found.id };
  }

  /** A frame by the id that the client was given, or the innermost of the stopped vCPU. */
  async frame(id: unknown): Promise<ShownFrame> {
    const { thread } = this.stopped.stop;
    const place = id === undefined || id === null ? { thread, index: 0 } : this.frames.get(id);
    if (!place) throw staleReference('stack frame');
    return this.frameAt(place);
  }

  async frameAt(place: FramePlace): Promise<ShownFrame> {
    const state = this.stopped;
    // Variables and expressions go by names of the whole image, which may still be being read.
    await state.symbols?.indexed;
    const frame = (await state.frames(place.thread))[place.index];
    if (!frame) throw staleReference('stack frame');
    return { ...place, frame, context: state.context(place.thread, frame) };
  }

  /** Takes over a guest that stands at its first instruction, and plants the breakpoints in it. */
  async adopt(guest: Guest): Promise<void> {
    if (this.closed) {
      await guest.close();
      throw notLaunched();
    }
    this.present = guest;
    this.ended = false;
    // Views ask anew when a guest has started.
    this.stopRequests.forget('views');
    this.guestCalls.forget();
    await this.breakpoints.replace('code', []);
    await this.standsAtEntry(guest);
    guest.target.onPrint((text) => this.logs.take(text));
    guest.target.onEnd((end) => void this.guestGone(guest, end));
    guest.target.onLost((message) => void this.guestGone(guest, { exitStatus: 1, message }, true));
    const refusal = await this.exceptions.apply(guest.target);
    if (refusal !== undefined) this.print(`${refusal}\n`, 'console');
    this.modules = await ModuleSymbols.of(guest, (message) => this.print(message, 'stderr'));
    await this.breakpoints.replace('modules', this.modules ? MODULE_TRAPS : []);
    this.announceBreakpoints(await this.breakpoints.bind(guest));
    if (this.startArguments?.request === 'attach') await this.followModules(this.stopped);
    void guest.symbols?.indexed.then(() => this.symbolsCame(guest)).catch(() => undefined);
  }

  /** What is known of the guest's past counts no more: it stands before its first instruction. */
  async standsAtEntry(guest: Guest): Promise<void> {
    this.forgetStop();
    const thread = (await guest.threads())[0]?.id ?? 1;
    this.stop = new StopState(guest.target, guest.symbols, { thread, reason: { kind: 'pause' } });
    this.last.clear();
    this.pageScans.clear();
    await this.breakpoints.forgetHits();
    this.slide = await SlideSearch.begin(guest, this.startArguments, this.exceptions);
    await this.findSlide(this.stop);
  }

  /** Breakpoints go where the names that are known now say. */
  private async symbolsCame(guest: Guest): Promise<void> {
    const outdated = await this.breakpoints.outdated();
    if (guest !== this.living || outdated.length === 0) return;
    this.announceBreakpoints(await guest.runner.whileStopped(() => this.breakpoints.follow()));
  }

  /** Has symbols and breakpoints follow a kernel that KASLR moved, as soon as a stop tells where it is. */
  private async findSlide(state: StopState): Promise<void> {
    const said = await this.slide?.look(state);
    if (said === undefined) return;
    this.slide = undefined;
    this.print(said, 'console');
    this.announceBreakpoints(await this.breakpoints.follow());
  }

  /** Has symbols and breakpoints follow what a Linux guest has loaded. */
  private async followModules(state: StopState): Promise<void> {
    if (await this.modules?.follow(state)) this.announceBreakpoints(await this.breakpoints.follow());
  }

  /** Starts an operation from the present stop; resolves when the guest is on its way. */
  async move(movement: Movement, operation: Operation): Promise<void> {
    const { guest } = this;
    const from = this.stopped;
    this.announceBreakpoints(await this.breakpoints.retry());
    this.forgetStop();
    const looks = new WeakMap<TargetStop, StopState>();
    const look = (stop: TargetStop) => {
      const state = looks.get(stop) ?? new StopState(guest.target, guest.symbols, stop);
      looks.set(stop, state);
      return state;
    };
    await guest.runner.start(
      (go) => operation(this.mindingBreakpoints(go, from, look), from, look),
      (stop, error) => void this.report(guest, stop, movement, error),
    );
  }

  /** Lets the guest go on by itself from stops that conditions, hit counts and log messages make none of. */
  private mindingBreakpoints(go: Go, from: StopState, look: (stop: TargetStop) => StopState): Go {
    let last = from;
    return async (asked, how, others) => {
      let thread = asked;
      for (;;) {
        const before = await last.pc(thread);
        const stop = await go(thread, how, others);
        last = look(stop);
        // Some stubs have only the vCPU that they are told of pass its trap.
        if (how.kind === 'continue' && others === 'continue') thread = stop.thread;
        // Once the slide is found, nothing is watched quietly any more.
        const { quiet } = this.exceptions;
        await this.findSlide(last);
        if (!(await this.exceptions.stopsAt(last, quiet, this.hitReport.complain))) {
          if (how.kind === 'step') return { ...stop, reason: { kind: 'step' } };
          continue;
        }
        const pc = await last.pc(stop.thread);
        const stepped = stop.reason.kind === 'step';
        // A repeated instruction is one visit.
        const met = stepped && pc === before ? [] : await candidates(last, this.breakpoints);
        const [own, theirs] = [met.filter(isOwn), met.filter((each) => !isOwn(each))];
        const isMet = (kind: 'modules' | 'code') => own.some(({ request }) => request.kind === kind);
        if (isMet('modules')) await this.followModules(last);
        if (isMet('code')) await this.guestCalls.codeCame(this.guest);
        const hit = await hitsAt(last, theirs, this.breakpoints, this.expressions, this.hitReport);
        const found: TargetStop =
          stepped && hit.length > 0 ? { ...stop, reason: { kind: 'breakpoint', hardware: false } } : stop;
        this.breakpoints.record(found, hit);
        if (hit.length > 0 || met.length === 0 || stepped || this.breakpoints.isForStep(pc)) return found;
        if (how.kind === 'step') return { ...stop, reason: { kind: 'step' } };
      }
    };
  }

  private readonly hitReport: HitReport = {
    log: (message, breakpoint) => {
      this.logs.flush();
      this.showLog(`${message}\n`, breakpoint);
    },
    complain: (message) => this.print(`${message}\n`, 'stderr'),
  };

  /** Shows messages of a log point, with its line where it has one. */
  private showLog(output: string, breakpoint: UserBreakpoint | undefined): void {
    const request = breakpoint?.request;
    const place = request?.kind === 'source' ? { source: { path: request.path }, line: request.line } : {};
    this.send.event('output', { category: 'console', output, ...place });
  }

  private announceBreakpoints(changed: readonly UserBreakpoint[]): void {
    for (const breakpoint of changed) {
      if (isOwn(breakpoint)) continue;
      this.send.event('breakpoint', { reason: 'changed', breakpoint: describeBreakpoint(breakpoint, this.present) });
    }
  }

  /** The vCPU's instruction pointer was set by the user: for the client this is another stop. */
  standsElsewhere(thread: number): void {
    const { guest } = this;
    this.forgetStop();
    const stop: TargetStop = { thread, reason: { kind: 'pause' } };
    // Until it is told, requests are answered from there already.
    this.stop = new StopState(guest.target, guest.symbols, stop);
    setImmediate(() => void this.report(guest, stop, 'goto'));
  }

  /** Tells the client that the guest stands at `stop`. */
  async report(guest: Guest, stop: TargetStop, movement: Movement, error?: unknown): Promise<void> {
    if (guest !== this.present || this.ended) return;
    this.logs.flush();
    const state = new StopState(guest.target, guest.symbols, stop);
    this.stop = state;
    this.last.standsAt(state).catch(() => undefined);
    if (error !== undefined) this.print(`${describeError(error).message}\n`, 'stderr');
    try {
      if (await this.modules?.isOutdated(state)) await this.followModules(state);
      const hit = this.breakpoints.hitBy(stop);
      const body = await describeStop(state, guest, hit, movement);
      // A client that has let the guest go meanwhile must not take it for stopped.
      if (this.stop === state) {
        this.send.event('stopped', body);
        this.send.inTurn(() => this.followed.tell(this, state));
      }
      const crash = crashOf(hit);
      if (crash === undefined) return;
      const { message, details } = await crashReport(crash, guest, state);
      this.print(`${message}\n${details}\n`, 'stderr');
    } catch (failure) {
      if (this.stop === state) this.print(`${describeError(failure).message}\n`, 'stderr');
    }
  }

  print(output: string, category: 'console' | 'stdout' | 'stderr' | 'important'): void {
    this.send.event('output', { category, output });
  }

  /** Tells a client that is about to end the guest the last that is known of it, so that views can go on showing it. */
  async bidFarewell(how: 'kill' | 'leave'): Promise<void> {
    const guest = this.present;
    if (!guest || this.ended) return;
    if (!guest.runner.running) await this.last.take(guest);
    if (guest !== this.present || this.ended) return;
    this.ended = true;
    const message =
      how === 'kill' ? 'The guest was ended by the user.' : 'The guest was let go. This is its last state.';
    this.send.ringside('ringside/ended', { message, exitStatus: KILLED, last: this.last.snapshot });
  }

  /** The client is gone or going: a guest still on its way in is turned back. */
  close(how?: 'kill' | 'leave'): Promise<void> {
    this.closed = true;
    // A guest that was there before us outlives us, unless its end is asked for.
    return this.end(how ?? (this.startArguments?.request === 'attach' ? 'leave' : 'kill'));
  }

  /** Ends the guest, or lets it run on without us, without telling the client. */
  async end(how: 'kill' | 'leave' = 'kill'): Promise<void> {
    const guest = this.present;
    this.present = undefined;
    this.forgetStop();
    this.breakpoints.unbind();
    if (how === 'leave') await guest?.leave().catch(() => guest.close());
    else await guest?.close();
  }

  private forgetStop(): void {
    this.stop = undefined;
    this.frames.clear();
    this.references.clear();
    this.offered.clear();
  }

  private async guestGone(guest: Guest, { exitStatus, message }: TargetEnd, lost = false): Promise<void> {
    if (guest !== this.present || this.ended) return;
    this.logs.flush();
    this.ended = true;
    this.forgetStop();
    this.breakpoints.unbind();
    if (!lost) await this.last.take(guest);
    this.print(`${guest.name}: ${message}\n`, lost ? 'important' : 'console');
    this.send.ringside('ringside/ended', { message, exitStatus, last: this.last.snapshot });
    this.send.event('exited', { exitCode: exitStatus });
    this.send.event('terminated', {});
    void guest.close();
  }
}
