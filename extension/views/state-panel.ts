/** A page in an editor over one part of the state at a stop. It asks for nothing while it is not in sight. */
import { Disposable, type ExtensionContext, type Uri, ViewColumn, type WebviewPanel, window } from 'vscode';
import type { PartError, StatePart } from '../../debug-adapter/protocol/custom.ts';
import type { PartValue, StopStore } from '../state/stop-store.ts';
import { WebviewHost } from './webview-host.ts';

type Good<Part extends StatePart> = Exclude<PartValue<Part>, PartError>;

/** What a page is told of the state, whatever it shows. */
export interface PageState<Value> {
  readonly value: Value | undefined;
  /** What to say where there is nothing to show. */
  readonly note: string;
  /** Of which vCPU the state is. */
  readonly title: string;
  readonly ended: boolean;
}

export interface StatePanelOptions<Part extends StatePart, In, Out> {
  /** Name of the page in media/webviews, and part of the editor's type. */
  readonly page: string;
  readonly title: string;
  readonly part: Part;
  readonly message: (state: PageState<Good<Part>>) => Out;
  readonly receive?: (message: In) => void;
}

export class StatePanel<Part extends StatePart, In extends { readonly kind: string }, Out> implements Disposable {
  #panel: WebviewPanel | undefined;
  #host: WebviewHost<In, Out> | undefined;
  /** What the page was told last. */
  #sent: object | undefined;
  #key = '';
  #listening: Disposable;
  readonly #extension: Uri;

  constructor(
    context: ExtensionContext,
    readonly store: StopStore,
    readonly options: StatePanelOptions<Part, In, Out>,
  ) {
    this.#extension = context.extensionUri;
    this.#listening = store.onDidChange(() => this.#update());
  }

  /** Opens the editor, or brings it to the front. */
  show(): void {
    if (this.#panel) {
      this.#panel.reveal();
      return;
    }
    const { page, title, receive } = this.options;
    const panel = window.createWebviewPanel(`ringside.${page}`, title, ViewColumn.Beside);
    this.#panel = panel;
    this.#host = new WebviewHost<In, Out>({
      webview: panel.webview,
      extension: this.#extension,
      page,
      title,
      onReady: () => this.#update(true),
      ...(receive ? { onMessage: receive } : {}),
    });
    panel.onDidChangeViewState(() => this.#want());
    panel.onDidDispose(() => {
      this.#host?.dispose();
      this.#panel = undefined;
      this.#host = undefined;
      this.#want();
    });
    this.#want();
  }

  post(message: Out): void {
    this.#host?.post(message);
  }

  dispose(): void {
    Disposable.from(this.#listening, ...(this.#panel ? [this.#panel] : [])).dispose();
  }

  #want(): void {
    void this.store.want(this.options.part, this.#panel?.visible ?? false);
  }

  /** The same state is sent once, unless the page is new. */
  #update(anew = false): void {
    if (!this.#host) return;
    const { store } = this;
    // What comes with the stop is shown at once, and not also what was there before it.
    if (store.isComing(this.options.part) && !anew) return;
    const kept = store.part(this.options.part);
    const good = kept && !('error' in kept.value) ? (kept.value as Good<Part>) : undefined;
    const ended = store.phase === 'ended';
    const note = kept && 'error' in kept.value ? kept.value.error : noteOf(store);
    const key = JSON.stringify([kept?.stop, store.session?.id, ended, note]);
    if (!anew && key === this.#key && kept === this.#sent) return;
    this.#key = key;
    this.#sent = kept;
    const title = `vCPU ${(kept?.threadId ?? store.threadId) - 1}`;
    this.#host.post(this.options.message({ value: good, note, title, ended }));
  }
}

/** Of a part of the state that no view asked for while the guest was there. */
export const ENDED_UNREAD = 'The guest has ended, and this was not read before. Start debugging to see it.';

function noteOf(store: StopStore): string {
  if (!store.session) return 'Start debugging a guest to see its state here.';
  if (store.phase === 'running') return 'The guest is running. Pause it to see its state here.';
  if (store.phase === 'ended') return ENDED_UNREAD;
  return 'Reading the state of the guest.';
}
