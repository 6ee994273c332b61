/** Exits and I/O: what makes vCPUs leave the guest, counted always, and written down while the user wants it. */
import { commands, type DebugSession, Disposable, type ExtensionContext, l10n } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { ExitCounts } from '../novsc/exit-counts.ts';
import type { FromExitsPage, ToExitsPage } from '../novsc/exit-messages.ts';
import { type Exit, exitFacts, exitRepeats, stopLine, traceColumns } from '../novsc/exit-rows.ts';
import { count, rate } from '../novsc/format.ts';
import { LogFeed } from '../novsc/log-feed.ts';
import type { StopStore } from '../state/stop-store.ts';
import type { StopsOn } from '../state/stops-on.ts';
import { LiveView } from './live-view.ts';
import { saveFile } from './webview-host.ts';

const TRACE_CAPACITY = 100_000;
/** Exits in one request: encoded and decoded in a few milliseconds. */
const EXITS_AT_ONCE = 5000;
/** Milliseconds between two looks at the counters. */
const PAUSE = 500;

export class ExitsView implements Disposable {
  #counts = new ExitCounts();
  /** What to ask the trace for next, one number for each vCPU. */
  #next: readonly number[] = [];
  #traced = 0;
  #lost = 0;
  #tracing = false;
  /** More was traced than has been fetched. */
  #behind = false;
  readonly #feed: LogFeed<Exit>;
  readonly #live: LiveView<'exits', FromExitsPage, ToExitsPage>;
  readonly #disposables: Disposable[];

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
    readonly stops: StopsOn,
  ) {
    this.#feed = new LogFeed<Exit>({
      log: 'trace',
      columns: traceColumns,
      capacity: TRACE_CAPACITY,
      repeats: exitRepeats,
      summary: () => this.#traceSummary(),
      note: () => (this.#tracing ? 'No exits since the trace began.' : 'Press Trace to have every exit written down.'),
      facts: exitFacts,
      actions: ({ item }) => {
        const line = store.phase === 'ended' ? undefined : stopLine(item);
        const stop = line === undefined ? [] : [stops.action(this.#live.session, line)];
        return [{ name: 'code', title: l10n.t('Go to Code') }, ...stop];
      },
      act: (action, { item }) => {
        if (action === 'code') void commands.executeCommand('ringside.goToCode', item.rip);
        else void stops.toggle(this.#live.session, stopLine(item) ?? '');
      },
      save: (format, text) => void saveFile(`exits.${format}`, text),
      send: (message) => this.#live.post(message),
    });
    this.#live = new LiveView(context, store, {
      part: 'exits',
      title: l10n.t('Exits and I/O'),
      pause: PAUSE,
      take: (part) => {
        this.#counts.add(part);
        this.#behind = this.#tracing;
      },
      fetch: (session) => this.#fetch(session),
      behind: () => this.#behind,
      show: () => this.#show(),
      receive: (message) => this.#receive(message),
      forget: () => this.#forget(),
    });
    this.#disposables = [this.#live, this.#feed, stops.onDidChange(() => this.#show())];
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  #receive(message: FromExitsPage): void {
    if (message.kind === 'stopOn') void this.stops.set(this.#live.session, message.line, message.on);
    else if (message.kind === 'trace') void this.#trace(message.on);
    else this.#feed.receive(message);
  }

  async #trace(on: boolean): Promise<void> {
    const { session } = this.#live;
    if (!session) return;
    try {
      const { from } = await request(session, 'ringside/traceExits', { on });
      if (on) this.#next = from;
      this.#tracing = on;
      this.#behind = true;
    } catch {
      // The guest has ended, or its target keeps no trace: the page says so.
    }
    this.#live.update();
  }

  async #fetch(session: DebugSession): Promise<boolean> {
    const counts = this.#counts;
    if (this.store.phase === 'running') {
      const part = await request(session, 'ringside/exits', {});
      if (counts !== this.#counts) return false;
      counts.add(part);
      this.#tell();
    }
    if (!this.#tracing && !this.#behind) return false;
    const batch = await request(session, 'ringside/exitTrace', { from: this.#next, limit: EXITS_AT_ONCE });
    if (counts !== this.#counts) return false;
    const { records, symbols, next, dropped } = batch;
    this.#next = next;
    this.#lost += dropped;
    this.#traced += records.length;
    this.#behind = records.length > 0;
    this.#feed.model.append(
      records.map((record) => {
        const symbol = symbols[record.rip];
        return symbol === undefined ? record : { ...record, symbol };
      }),
    );
    return records.length === EXITS_AT_ONCE;
  }

  #show(): void {
    this.#tell();
    this.#feed.show();
  }

  #tell(): void {
    const counts = this.#counts;
    const running = this.store.phase === 'running';
    this.#live.post({
      kind: 'state',
      reasons: counts.of('reason'),
      places: counts.of('place'),
      code: counts.of('rip'),
      timeline: counts.timeline,
      summary: `${count(counts.total)} exits${running ? `, ${rate(counts.rate)} a second` : ''}`,
      note: this.#note(),
      tracing: this.#tracing,
      stops: this.stops.of(this.#live.session),
      ended: this.store.phase === 'ended',
    });
  }

  /** A trace that was asked for goes on with the guest's next run. */
  #forget(): void {
    const again = this.#tracing;
    this.#counts = new ExitCounts();
    this.#next = [];
    [this.#traced, this.#lost, this.#tracing, this.#behind] = [0, 0, false, false];
    this.#feed.model.clear();
    if (again) void this.#trace(true);
  }

  #traceSummary(): string {
    const { model } = this.#feed;
    const shown = model.rows.length === model.kept ? '' : `${count(model.rows.length)} rows of `;
    return `${shown}${count(this.#traced)} exits${this.#lost > 0 ? `, ${count(this.#lost)} lost` : ''}`;
  }

  #note(): string {
    const { error, session } = this.#live;
    if (error !== undefined) return error;
    if (!session) return 'Start debugging a guest to see what makes it exit.';
    return 'The guest has not exited to Ringside yet.';
  }
}
