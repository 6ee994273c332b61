/** Hypercalls: a live log in a webview. It is followed only while the view is visible. */
import {
  commands,
  type DebugSession,
  Disposable,
  type ExtensionContext,
  env,
  type WebviewView,
  type WebviewViewProvider,
  window,
} from 'vscode';
import type { HypercallsPart } from '../../debug-adapter/protocol/custom.ts';
import { onRingsideEvent, request } from '../debug/ringside-session.ts';
import { count, rate } from '../novsc/format.ts';
import { type Call, HypercallLog, LOG_CAPACITY } from '../novsc/hypercall-log.ts';
import type { FromHypercallsPage, ToHypercallsPage } from '../novsc/hypercall-messages.ts';
import { callAddress, callColumns, callFacts, callRepeats } from '../novsc/hypercall-rows.ts';
import { LogFeed } from '../novsc/log-feed.ts';
import { Follower } from '../state/follower.ts';
import type { StopStore } from '../state/stop-store.ts';
import { saveFile, WebviewHost } from './webview-host.ts';

/** Calls in one request: encoded and decoded in a few milliseconds. */
const CALLS_AT_ONCE = 5000;

export class HypercallsView implements WebviewViewProvider, Disposable {
  #view: WebviewView | undefined;
  #host: WebviewHost<FromHypercallsPage, ToHypercallsPage> | undefined;
  #log = new HypercallLog();
  /** The session whose calls are in the log. */
  #session: DebugSession | undefined;
  #taken: object | undefined;
  readonly #feed: LogFeed<Call>;
  readonly #follower = new Follower(() => this.#fetch());
  readonly #disposables: Disposable[];

  constructor(
    readonly context: ExtensionContext,
    readonly store: StopStore,
  ) {
    this.#feed = new LogFeed<Call>({
      log: 'calls',
      columns: callColumns,
      capacity: LOG_CAPACITY,
      repeats: callRepeats,
      summary: () => this.#summary(),
      note: () => this.#note(),
      facts: callFacts,
      actions: () => [
        { name: 'code', title: 'Go to Code' },
        { name: 'copy', title: 'Copy' },
      ],
      act: (action, run) => {
        if (action === 'code') void commands.executeCommand('ringside.goToCode', callAddress(run.item));
        else
          void env.clipboard.writeText(
            callFacts(run)
              .map((pair) => pair.join(': '))
              .join('\n'),
          );
      },
      save: (format, text) => void saveFile(`hypercalls.${format}`, text),
      send: (message) => this.#host?.post(message),
    });
    this.#disposables = [
      window.registerWebviewViewProvider('ringside.hypercalls', this),
      store.onDidChange(() => this.#update()),
      onRingsideEvent('ringside/started', (session) => session === this.#session && this.#forget()),
      this.#follower,
      this.#feed,
    ];
  }

  resolveWebviewView(view: WebviewView): void {
    this.#view = view;
    this.#host = new WebviewHost<FromHypercallsPage, ToHypercallsPage>({
      webview: view.webview,
      extension: this.context.extensionUri,
      page: 'hypercalls',
      title: 'Hypercalls',
      onReady: () => this.#update(),
      onMessage: (message) => this.#feed.receive(message),
    });
    view.onDidChangeVisibility(() => this.#update());
    view.onDidDispose(() => {
      this.#host?.dispose();
      this.#host = undefined;
      this.#view = undefined;
      this.#update();
    });
    this.#update();
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  #update(): void {
    const visible = this.#view?.visible ?? false;
    const { phase, session } = this.store;
    this.store.want('hypercalls', visible);
    if (session !== this.#session) {
      this.#session = session;
      this.#forget();
    }
    const kept = this.store.part('hypercalls');
    if (kept && kept !== this.#taken && !('error' in kept.value)) {
      this.#taken = kept;
      this.#take(kept.value);
    }
    const behind = this.#log.next < this.#log.total;
    this.#follower.on = visible && (phase === 'running' || (phase === 'stopped' && behind));
    if (visible) this.#show();
  }

  /** What the store or the follower brings; a gap before it is fetched first. */
  #take(batch: HypercallsPart): void {
    const first = batch.records[0]?.sequence ?? 0;
    const gap = first > this.#log.next && this.store.phase !== 'ended';
    this.#feed.model.append(this.#log.add(gap ? { ...batch, records: [] } : batch));
  }

  async #fetch(): Promise<boolean> {
    const [log, session] = [this.#log, this.#session];
    if (!session) return false;
    const batch = await request(session, 'ringside/hypercalls', { from: log.next, limit: CALLS_AT_ONCE });
    if (log !== this.#log) return false;
    this.#feed.model.append(log.add(batch));
    this.#host?.post({ kind: 'counts', counts: log.counts });
    const behind = log.next < log.total;
    if (this.store.phase !== 'running') this.#follower.on = behind;
    return behind;
  }

  #show(): void {
    this.#host?.post({ kind: 'state', ended: this.store.phase === 'ended' });
    this.#host?.post({ kind: 'counts', counts: this.#log.counts });
    this.#feed.show();
  }

  #forget(): void {
    this.#log = new HypercallLog();
    this.#taken = undefined;
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
    const kept = this.store.part('hypercalls');
    if (kept && 'error' in kept.value) return kept.value.error;
    if (!this.#session) return 'Start debugging a guest to see its hypercalls.';
    const how = 'Which ones are seen depends on "personality" in launch.json and on this host\'s KVM.';
    return this.store.phase === 'ended' ? 'The guest made no hypercalls.' : `No hypercalls so far. ${how}`;
  }
}
