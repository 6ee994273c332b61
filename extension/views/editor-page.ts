/** One of our pages in an editor beside the source: opened, brought to the front, and told of only while it is there. */
import { Disposable, type Uri, ViewColumn, type WebviewPanel, window } from 'vscode';
import { WebviewHost, type WebviewHostOptions } from './webview-host.ts';

export interface EditorPageOptions<In> extends Omit<WebviewHostOptions<In>, 'webview'> {
  readonly extension: Uri;
  /** What the page shows is not known here, so it is to live on while it is out of sight. */
  readonly retain?: boolean;
  /** It came into sight, or went out of it. */
  readonly onVisibility: () => void;
}

export class EditorPage<In extends { readonly kind: string }, Out> implements Disposable {
  #panel: WebviewPanel | undefined;
  #host: WebviewHost<In, Out> | undefined;

  constructor(readonly options: EditorPageOptions<In>) {}

  get open(): boolean {
    return this.#panel !== undefined;
  }

  get visible(): boolean {
    return this.#panel?.visible ?? false;
  }

  /** Opens the editor, or brings it to the front. */
  show(): void {
    if (this.#panel) {
      this.#panel.reveal();
      return;
    }
    const { page, title, retain = false, onVisibility } = this.options;
    const panel = window.createWebviewPanel(`ringside.${page}`, title, ViewColumn.Beside, {
      retainContextWhenHidden: retain,
    });
    this.#panel = panel;
    this.#host = new WebviewHost<In, Out>({ ...this.options, webview: panel.webview });
    panel.onDidChangeViewState(onVisibility);
    panel.onDidDispose(() => {
      this.#host?.dispose();
      this.#panel = undefined;
      this.#host = undefined;
      onVisibility();
    });
    onVisibility();
  }

  /** Lost while there is no page. */
  post(message: Out): void {
    this.#host?.post(message);
  }

  dispose(): void {
    Disposable.from(...(this.#panel ? [this.#panel] : [])).dispose();
  }
}
