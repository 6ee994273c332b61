/**
 * What the views show: the state of the active kvm session at its last stop. With each stop come the parts that visible views
 * want; a hidden view costs nothing and its part is fetched when it becomes visible.
 */
import {
  commands,
  type DebugAdapterTracker,
  type DebugSession,
  type DebugStackFrame,
  type DebugThread,
  Disposable,
  debug,
  EventEmitter,
  type ProviderResult,
} from 'vscode';
import type { MachineInfo, MachineSnapshot, PagesChoice, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { DEBUG_TYPE, onRingsideEvent } from '../debug/ringside-session.ts';
import { type KeptPart, type Phase, SessionState, type ShownPhase } from './session-state.ts';

/** A step is over before anybody could read "running": views say so only when the guest runs on. */
const RUNNING_SHOWN_AFTER_MS = 300;

/** Requests after whose success the guest runs. */
const RESUMES = new Set(['continue', 'next', 'stepIn', 'stepOut']);

export class StopStore implements Disposable {
  #sessions = new Map<string, SessionState>();
  #active: SessionState | undefined;
  #wanted = new Set<StatePart>();
  #changed = new EventEmitter<StatePart | undefined>();
  /** What `when` clauses of package.json go by. */
  #context: Phase | undefined;
  #disposables: Disposable[];

  /** Fires when anything that a view shows may be another: with a part where that is all that has come. */
  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#disposables = [
      this.#changed,
      debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
        createDebugAdapterTracker: (session): ProviderResult<DebugAdapterTracker> => {
          const state = this.#begin(session);
          return {
            onWillReceiveMessage: (message) => state.tops.asked(message),
            onDidSendMessage: (message) => this.#watch(state, message),
          };
        },
      }),
      debug.onDidChangeActiveDebugSession((session) => session && this.#activate(this.#sessions.get(session.id))),
      debug.onDidChangeActiveStackItem((item) => this.#show(item)),
      debug.onDidTerminateDebugSession((session) => this.#terminated(session)),
      onRingsideEvent('ringside/started', (session, { info }) => {
        const state = this.#sessions.get(session.id);
        if (!state) return;
        state.info = info;
        if (state.phase !== 'stopped') {
          state.endMessage = undefined;
          state.phase = 'starting';
          this.#enter(state, 'running');
        }
        this.#follow();
      }),
      onRingsideEvent('ringside/ended', (session, { message, last }) => {
        const state = this.#sessions.get(session.id);
        if (!state) return;
        state.stop++;
        state.keep(last);
        state.endMessage = message;
        this.#enter(state, 'ended');
      }),
    ];
  }

  get phase(): Phase | undefined {
    return this.#active?.phase;
  }

  /** For pages, which know no guest that is only coming. */
  get shownPhase(): ShownPhase {
    const { phase } = this;
    return phase === 'running' || phase === 'ended' ? phase : 'stopped';
  }

  get runningShown(): boolean {
    return this.#active?.runningShown ?? false;
  }

  get endMessage(): string | undefined {
    return this.#active?.endMessage;
  }

  /** The session that is shown; it may be over. */
  get session(): DebugSession | undefined {
    return this.#active?.session;
  }

  get info(): MachineInfo | undefined {
    return this.#active?.info;
  }

  get threadId(): number {
    return this.#active?.threadId ?? 1;
  }

  /** True when another frame than the innermost is selected. */
  get inCaller(): boolean {
    return this.#active?.frameId !== undefined;
  }

  /** Names the current stop: another number is another stop. */
  get stopNumber(): number {
    return this.#active?.stop ?? 0;
  }

  part<Part extends StatePart>(part: Part): KeptPart<Part> | undefined {
    return this.#active?.parts.get(part) as KeptPart<Part> | undefined;
  }

  /** True for a part of the present stop that is on its way. */
  isComing(part: StatePart): boolean {
    return this.#active?.isComing(part) ?? false;
  }

  /** Calls `listener` when what a view of this part shows may be another. */
  onChangeOf(part: StatePart, listener: () => void): Disposable {
    return this.onDidChange((come = part) => {
      if (come === part) listener();
    });
  }

  /** A view says whether it is visible; resolves when what it becomes visible with has been read. */
  async want(part: StatePart, visible: boolean): Promise<void> {
    const known = this.#wanted.has(part);
    if (visible) this.#wanted.add(part);
    else this.#wanted.delete(part);
    if (visible !== known) this.#follow();
    if (visible && !known && this.#active) await this.#fetch(this.#active);
  }

  get pages(): PagesChoice {
    return this.#active?.pages ?? {};
  }

  /** Looks at other page tables, or compares them with another stop. */
  choosePages(pages: PagesChoice): void {
    if (!this.#active) return;
    this.#active.pages = pages;
    this.#follow();
    this.#readAnew(this.#active);
  }

  /** Reads the visible parts anew. */
  refresh(): void {
    if (this.#active) this.#readAnew(this.#active);
  }

  dispose(): void {
    for (const state of this.#sessions.values()) clearTimeout(state.timer);
    Disposable.from(...this.#disposables).dispose();
  }

  #readAnew(state: SessionState): void {
    if (state.phase !== 'stopped') return;
    state.stop++;
    void this.#fetch(state);
  }

  #begin(session: DebugSession): SessionState {
    const state = new SessionState(session);
    this.#sessions.set(session.id, state);
    void commands.executeCommand('setContext', 'ringside.hasSession', true);
    this.#activate(state);
    return state;
  }

  #activate(state: SessionState | undefined): void {
    if (!state || state === this.#active) return;
    this.#active = state;
    this.#follow();
    this.#announce();
    void this.#fetch(state);
  }

  /** Has the session that is shown, and no other, send what views want with each stop. */
  #follow(): void {
    for (const state of this.#sessions.values()) {
      if (state.phase === 'starting' || state.phase === 'ended') continue;
      state.followed.ask(state === this.#active ? this.#wanted : new Set(), state.pages);
    }
  }

  #show(item: DebugThread | DebugStackFrame | undefined): void {
    const state = item && this.#sessions.get(item.session.id);
    if (!state) return;
    this.#activate(state);
    if (state.phase !== 'stopped') return;
    const frameId = 'frameId' in item && !state.tops.has(item.frameId) ? item.frameId : undefined;
    if (item.threadId === state.threadId && frameId === state.frameId) return;
    if (item.threadId !== state.threadId) state.stop++;
    state.threadId = item.threadId;
    state.frameId = frameId;
    void this.#fetch(state);
  }

  #watch(state: SessionState, message: AdapterMessage): void {
    state.tops.answered(message);
    if (message.type === 'event' && message.event === 'stopped') {
      state.stopped(message.body?.threadId);
      this.#enter(state, 'stopped');
      this.#follow();
      void this.#fetch(state);
    } else if (message.type === 'event' && message.event === 'ringside/part') {
      const part = state.take(message.body as MachineSnapshot);
      if (part && state === this.#active) this.#changed.fire(part);
    } else if (message.type === 'event' && message.event === 'continued') this.#enter(state, 'running');
    else if (message.type === 'event' && message.event === 'invalidated') this.#readAnew(state);
    else if (message.type === 'response' && message.success && RESUMES.has(message.command))
      this.#enter(state, 'running');
  }

  #terminated(session: DebugSession): void {
    const state = this.#sessions.get(session.id);
    if (!state) return;
    state.endMessage ??= 'The session is over. This is the state of the last stop.';
    this.#enter(state, 'ended');
    this.#sessions.delete(session.id);
  }

  #enter(state: SessionState, phase: Phase): void {
    if (state.phase === 'ended') return;
    clearTimeout(state.timer);
    state.phase = phase;
    state.runningShown = false;
    if (phase === 'running') {
      state.timer = setTimeout(() => {
        state.runningShown = true;
        this.#announce();
      }, RUNNING_SHOWN_AFTER_MS);
    } else this.#announce();
  }

  async #fetch(state: SessionState): Promise<void> {
    if (state.phase !== 'stopped' || state !== this.#active) return;
    const parts = [...this.#wanted].filter((part) => state.lacks(part));
    if (parts.length > 0 && (await state.read(parts))) this.#announce();
  }

  #announce(): void {
    const phase = this.#active?.phase === 'running' && !this.#active.runningShown ? 'stopped' : this.#active?.phase;
    if (phase !== this.#context) void commands.executeCommand('setContext', 'ringside.state', phase);
    this.#context = phase;
    this.#changed.fire(undefined);
  }
}

interface AdapterMessage {
  readonly type: 'event' | 'response' | 'request';
  readonly event: string;
  readonly command: string;
  readonly request_seq?: number;
  readonly success?: boolean;
  readonly body?: { readonly threadId?: number; readonly stackFrames?: readonly { readonly id: number }[] };
}
