/** Hypercalls: a live table in a webview. The flow is asked for only while the view is visible. */
import {
  commands,
  type DebugSession,
  Disposable,
  type ExtensionContext,
  env,
  Uri,
  type WebviewView,
  type WebviewViewProvider,
  window,
} from 'vscode';
import type { HypercallsPart } from '../../debug-adapter/protocol/custom.ts';
import { onRingsideEvent, request } from '../debug/ringside-session.ts';
import { HypercallLog, LOG_CAPACITY } from '../novsc/hypercall-log.ts';
import { type FromHypercallsView, hypercallRow, type ToHypercallsView } from '../novsc/hypercall-messages.ts';
import type { StopStore } from '../state/stop-store.ts';
import { webviewPage } from './webview-page.ts';

export class HypercallsView implements WebviewViewProvider, Disposable {
  #view: WebviewView | undefined;
  #ready = false;
  #log = new HypercallLog();
  /** The session whose calls are in the log, and whether it sends them as they happen. */
  #session: DebugSession | undefined;
  #watching = false;
  #taken: object | undefined;
  #taking = Promise.resolve();
  #disposables: Disposable[];

  constructor(
    readonly context: ExtensionContext,
    readonly store: StopStore,
  ) {
    this.#disposables = [
      window.registerWebviewViewProvider('ringside.hypercalls', this),
      store.onDidChange(() => this.#update()),
      onRingsideEvent('ringside/hypercalls', (session, batch) => session === this.#session && this.#take(batch)),
      onRingsideEvent('ringside/started', (session) => session === this.#session && this.#forget()),
    ];
  }

  resolveWebviewView(view: WebviewView): void {
    this.#view = view;
    const root = Uri.joinPath(this.context.extensionUri, 'dist', 'webviews');
    view.webview.options = { enableScripts: true, localResourceRoots: [root] };
    view.webview.onDidReceiveMessage((message: FromHypercallsView) => this.#receive(message));
    view.webview.html = webviewPage(view.webview, root, 'hypercalls', 'Hypercalls');
    view.onDidChangeVisibility(() => this.#update());
    view.onDidDispose(() => {
      this.#view = undefined;
      this.#ready = false;
      this.#update();
    });
    this.#update();
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  #update(): void {
    const visible = this.#view?.visible ?? false;
    this.store.want('hypercalls', visible);
    if (this.store.session !== this.#session) {
      this.#session = this.store.session;
      this.#watching = false;
      this.#forget();
    }
    const kept = this.store.part('hypercalls');
    if (kept && kept !== this.#taken && !('error' in kept.value)) {
      this.#taken = kept;
      this.#take(kept.value);
    }
    void this.#watch(visible);
    this.#post({ kind: 'state', note: this.#note(), ended: this.store.phase === 'ended' });
  }

  /** A call that comes in only while hidden is fetched when the view is shown again. */
  async #watch(visible: boolean): Promise<void> {
    const session = this.#session;
    const on = visible && (this.store.phase === 'running' || this.store.phase === 'stopped');
    if (!session || on === this.#watching || this.store.phase === 'ended') return;
    this.#watching = on;
    try {
      await request(session, 'ringside/watchHypercalls', { on });
      if (on) this.#take(await request(session, 'ringside/hypercalls', { from: this.#log.next, limit: LOG_CAPACITY }));
    } catch {
      // The session has just ended, or its target knows no hypercalls: the note of the view says which.
      this.#watching = false;
    }
  }

  /** Batches are taken one after the other; calls that were made while nobody looked are fetched first. */
  #take(batch: HypercallsPart): void {
    const [log, session] = [this.#log, this.#session];
    this.#taking = this.#taking.then(async () => {
      if (log !== this.#log) return;
      const from = log.next;
      const limit = (batch.records[0]?.sequence ?? from) - from;
      if (limit > 0 && session && this.store.phase !== 'ended') {
        const missed = await request(session, 'ringside/hypercalls', { from, limit }).catch(() => undefined);
        if (missed && log === this.#log) this.#send(log.add(missed));
      }
      if (log === this.#log) this.#send(log.add(batch));
    });
  }

  #send(records: HypercallLog['records']): void {
    const rows = records.map((record) => hypercallRow(record, this.#log.symbol(record)));
    this.#post({ kind: 'add', rows, ...this.#log.counts });
  }

  #forget(): void {
    this.#log = new HypercallLog();
    this.#taken = undefined;
    this.#post({ kind: 'reset' });
  }

  #note(): string {
    const kept = this.store.part('hypercalls');
    if (kept && 'error' in kept.value) return kept.value.error;
    if (!this.#session) return 'Start debugging a guest to see its hypercalls.';
    return this.store.phase === 'ended' ? 'The guest made no hypercalls.' : 'No hypercalls so far.';
  }

  #post(message: ToHypercallsView): void {
    if (this.#ready) void this.#view?.webview.postMessage(message);
  }

  #receive(message: FromHypercallsView): void {
    if (message.kind === 'ready') {
      this.#ready = true;
      this.#post({ kind: 'reset' });
      this.#send(this.#log.records);
      this.#update();
    } else if (message.kind === 'open') void commands.executeCommand('ringside.goToCode', message.address);
    else void env.clipboard.writeText(message.text);
  }
}
