/** Hypercalls: a live log in a webview. */
import { commands, type DebugSession, Disposable, type ExtensionContext, env, l10n } from 'vscode';
import type { HypercallsPart } from '../../debug-adapter/protocol/custom.ts';
import { request } from '../debug/ringside-session.ts';
import { count, rate } from '../novsc/format.ts';
import { type Call, HypercallLog, LOG_CAPACITY } from '../novsc/hypercall-log.ts';
import type { FromHypercallsPage, ToHypercallsPage } from '../novsc/hypercall-messages.ts';
import { callAddress, callColumns, callFacts, callRepeats, callStopLine } from '../novsc/hypercall-rows.ts';
import { waysSeen } from '../novsc/hypercall-ways.ts';
import { LogFeed } from '../novsc/log-feed.ts';
import type { StopStore } from '../state/stop-store.ts';
import type { StopsOn } from '../state/stops-on.ts';
import { LiveView } from './live-view.ts';
import { saveFile } from './webview-host.ts';

/** Calls in one request: encoded and decoded in a few milliseconds. */
const CALLS_AT_ONCE = 5000;

export class HypercallsView implements Disposable {
  #log = new HypercallLog();
  readonly #feed: LogFeed<Call>;
  readonly #live: LiveView<'hypercalls', FromHypercallsPage, ToHypercallsPage>;
  readonly #asked: Disposable;

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
    readonly stops: StopsOn,
  ) {
    this.#feed = new LogFeed<Call>({
      log: 'calls',
      columns: callColumns,
      capacity: LOG_CAPACITY,
      repeats: callRepeats,
      summary: () => this.#summary(),
      note: () => this.#note(),
      facts: callFacts,
      actions: ({ item }) => [
        { name: 'code', title: l10n.t('Go to Code') },
        ...(store.phase === 'ended' ? [] : [stops.action(this.#live.session, callStopLine(item))]),
        { name: 'copy', title: l10n.t('Copy') },
      ],
      act: (action, run) => {
        if (action === 'code') void commands.executeCommand('ringside.goToCode', callAddress(run.item));
        else if (action === 'stop') void stops.toggle(this.#live.session, callStopLine(run.item));
        else
          void env.clipboard.writeText(
            callFacts(run)
              .map((pair) => pair.join(': '))
              .join('\n'),
          );
      },
      save: (format, text) => void saveFile(`hypercalls.${format}`, text),
      send: (message) => this.#live.post(message),
    });
    this.#live = new LiveView(context, store, {
      part: 'hypercalls',
      title: l10n.t('Hypercalls'),
      take: (batch) => this.#take(batch),
      fetch: (session) => this.#fetch(session),
      behind: () => this.#log.next < this.#log.total,
      show: () => this.#show(),
      receive: (message) => {
        if (message.kind === 'stopOn') void stops.set(this.#live.session, message.line, message.on);
        else this.#feed.receive(message);
      },
      watch: (session, on) => void request(session, 'ringside/recordCalls', { on }).catch(() => undefined),
      forget: () => this.#forget(),
    });
    this.#asked = stops.onDidChange(() => this.#show());
  }

  dispose(): void {
    Disposable.from(this.#asked, this.#live, this.#feed).dispose();
  }

  /** What the store or the follower brings; a gap before it is fetched first. */
  #take(batch: HypercallsPart): void {
    const first = batch.records[0]?.sequence ?? 0;
    const gap = first > this.#log.next && this.store.phase !== 'ended';
    this.#feed.model.append(this.#log.add(gap ? { ...batch, records: [] } : batch));
  }

  async #fetch(session: DebugSession): Promise<boolean> {
    const log = this.#log;
    const batch = await request(session, 'ringside/hypercalls', { from: log.next, limit: CALLS_AT_ONCE });
    if (log !== this.#log) return false;
    this.#feed.model.append(log.add(batch));
    this.#live.post({ kind: 'counts', counts: log.counts });
    return log.next < log.total;
  }

  #show(): void {
    const stops = this.stops.of(this.#live.session);
    this.#live.post({ kind: 'state', ended: this.store.phase === 'ended', stops });
    this.#live.post({ kind: 'counts', counts: this.#log.counts });
    this.#feed.show();
  }

  #forget(): void {
    this.#log = new HypercallLog();
    this.#feed.model.clear();
  }

  #summary(): string {
    const { model } = this.#feed;
    const { total, lost } = this.#log;
    const shown = model.rows.length === model.kept ? '' : `${count(model.rows.length)} rows of `;
    const speed = this.store.phase === 'running' ? `, ${rate(this.#log.rate)} a second` : '';
    return `${shown}${count(total)} ${total === 1 ? 'call' : 'calls'}${speed}${lost > 0 ? `, ${count(lost)} lost` : ''}`;
  }

  #note(): string {
    const { error, session } = this.#live;
    if (error !== undefined) return error;
    if (!session) return 'Start debugging a guest to see its hypercalls.';
    const none = this.store.phase === 'ended' ? 'The guest made no hypercalls.' : 'No hypercalls so far.';
    const { info } = this.store;
    return info ? `${none} ${waysSeen(info)}` : none;
  }
}
