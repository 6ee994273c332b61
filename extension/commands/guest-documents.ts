/** Read-only documents of what the stopped guest has at a place: read when they are opened, and again at each stop. */
import {
  type DebugSession,
  Disposable,
  EventEmitter,
  l10n,
  type TextDocumentContentProvider,
  type TextEditor,
  Uri,
  ViewColumn,
  window,
  workspace,
} from 'vscode';
import type { StopStore } from '../state/stop-store.ts';

export class GuestDocuments implements TextDocumentContentProvider, Disposable {
  readonly #changed = new EventEmitter<Uri>();
  readonly #disposables: Disposable[];
  #stop = 0;
  readonly onDidChange = this.#changed.event;

  /** `read` gets the name that a document was shown under; what it throws stands in the document. */
  constructor(
    readonly store: StopStore,
    readonly scheme: string,
    readonly read: (session: DebugSession, name: string) => Promise<string>,
  ) {
    this.#disposables = [
      this.#changed,
      workspace.registerTextDocumentContentProvider(scheme, this),
      store.onDidChange(() => this.#refresh()),
    ];
  }

  /** Opens what has this name beside what is worked on, which keeps the keyboard. */
  async show(name: string): Promise<TextEditor> {
    const uri = Uri.from({ scheme: this.scheme, path: `/${name}` });
    const document = await workspace.openTextDocument(uri);
    this.#changed.fire(uri);
    return window.showTextDocument(document, { viewColumn: ViewColumn.Beside, preserveFocus: true, preview: false });
  }

  async provideTextDocumentContent(uri: Uri): Promise<string> {
    const { session, phase } = this.store;
    if (!session || phase === 'ended') return `${l10n.t('The guest is gone. Start debugging one to read it here.')}\n`;
    try {
      return await this.read(session, uri.path.slice(1));
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\n`;
    }
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  /** Open documents are read again once a stop. */
  #refresh(): void {
    const stop = this.store.stopNumber;
    if (stop === this.#stop || this.store.phase !== 'stopped') return;
    this.#stop = stop;
    for (const document of workspace.textDocuments) {
      if (document.uri.scheme === this.scheme) this.#changed.fire(document.uri);
    }
  }
}
