/**
 * A page in the side bar over what the guest does while it runs: followed while the page is visible and the guest runs, else
 * one part of the state at a stop. Hidden, it asks for nothing.
 */
import {
  type DebugSession,
  Disposable,
  type ExtensionContext,
  type Webview,
  type WebviewView,
  type WebviewViewProvider,
  window,
} from 'vscode';
import type { PartError, StatePart } from '../../debug-adapter/protocol/custom.ts';
import { onRingsideEvent } from '../debug/ringside-session.ts';
import { Follower } from '../state/follower.ts';
import type { PartValue } from '../state/session-state.ts';
import type { StopStore } from '../state/stop-store.ts';
import { ENDED_UNREAD } from './state-panel.ts';
import { WebviewHost } from './webview-host.ts';

type Good<Part extends StatePart> = Exclude<PartValue<Part>, PartError>;

export interface LiveViewOptions<Part extends StatePart, In> {
  /** Names the part of the state, the view in package.json after `ringside.`, and the page in media/webviews. */
  readonly part: Part;
  readonly title: string;
  /** Milliseconds between two questions. */
  readonly pause?: number;
  /** What was read at a stop, once. */
  take(value: Good<Part>): void;
  /** Asks once; true when there is more to ask for at once. */
  fetch(session: DebugSession): Promise<boolean>;
  /** True when there is something to fetch though the guest stands. */
  readonly behind?: () => boolean;
  /** Tells the page all that it shows; the view is visible. */
  show(): void;
  receive(message: In): void;
  /** Somebody begins or ceases to look at what a guest does; told anew of each guest that starts. */
  watch?(session: DebugSession, on: boolean): void;
  /** Another session, or the guest starts again. */
  forget(): void;
}

export class LiveView<Part extends StatePart, In extends { readonly kind: string }, Out>
  implements WebviewViewProvider, Disposable
{
  #view: WebviewView | undefined;
  #host: WebviewHost<In, Out> | undefined;
  #session: DebugSession | undefined;
  #taken: object | undefined;
  /** Why the running guest does not tell. */
  #refusal: string | undefined;
  #watching = false;
  readonly #follower: Follower;
  readonly #disposables: Disposable[];

  constructor(
    readonly context: ExtensionContext,
    readonly store: StopStore,
    readonly options: LiveViewOptions<Part, In>,
  ) {
    this.#follower = new Follower(() => this.#fetch(), options.pause);
    this.#disposables = [
      window.registerWebviewViewProvider(`ringside.${options.part}`, this),
      store.onChangeOf(options.part, () => this.update()),
      onRingsideEvent('ringside/started', (session) => session === this.#session && this.#forget()),
      this.#follower,
    ];
  }

  /** The session that is shown. */
  get session(): DebugSession | undefined {
    return this.#session;
  }

  /** Why there is nothing to see of the running guest or of the last stop: what was wrong, or that nobody looked. */
  get error(): string | undefined {
    if (this.store.phase === 'running' && this.#refusal !== undefined) return this.#refusal;
    const kept = this.store.part(this.options.part);
    if (!kept) return this.store.phase === 'ended' ? ENDED_UNREAD : undefined;
    return 'error' in kept.value ? kept.value.error : undefined;
  }

  resolveWebviewView(view: WebviewView): void {
    this.#view = view;
    this.#host = this.#hostOf(view.webview);
    view.onDidChangeVisibility(() => this.update());
    view.onDidDispose(() => {
      this.#host?.dispose();
      this.#host = undefined;
      this.#view = undefined;
      this.update();
    });
    this.update();
  }

  post(message: Out): void {
    this.#host?.post(message);
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  /** Looks at what is to be shown, and whether to follow. */
  update(): void {
    const { options, store } = this;
    const visible = this.#view?.visible ?? false;
    void store.want(options.part, visible);
    if (store.session !== this.#session) {
      this.#session = store.session;
      this.#forget();
    }
    const kept = store.part(options.part);
    if (kept && kept !== this.#taken && !('error' in kept.value)) {
      this.#taken = kept;
      options.take(kept.value as Good<Part>);
    }
    this.#watch(visible);
    this.#follower.on = visible && this.#mayFetch;
    // What comes with the stop is shown at once, and not also what was there before it.
    if (visible && !store.isComing(options.part)) options.show();
  }

  #watch(on: boolean): void {
    const { phase } = this.store;
    const isThere = phase === 'running' || phase === 'stopped';
    if (!this.#session || !isThere || this.#watching === on) return;
    this.#watching = on;
    this.options.watch?.(this.#session, on);
  }

  #hostOf(webview: Webview): WebviewHost<In, Out> {
    const { part, title, receive } = this.options;
    return new WebviewHost<In, Out>({
      ...{ webview, extension: this.context.extensionUri, page: part, title },
      onReady: () => this.update(),
      onMessage: (message) => receive(message),
    });
  }

  get #mayFetch(): boolean {
    const { phase } = this.store;
    return phase === 'running' || (phase === 'stopped' && this.options.behind?.() === true);
  }

  async #fetch(): Promise<boolean> {
    const session = this.#session;
    if (!session) return false;
    const more = await this.options.fetch(session).catch((error: Error) => {
      this.#refusal = error.message;
      this.update();
      throw error;
    });
    this.#refusal = undefined;
    if (!this.#mayFetch) this.#follower.on = false;
    return more;
  }

  #forget(): void {
    this.#taken = undefined;
    this.#watching = false;
    this.#refusal = undefined;
    this.options.forget();
  }
}
