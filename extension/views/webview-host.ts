/** One page of ours in a view or an editor: what it asks for that any page may, and messages only while it listens. */
import { commands, type Disposable, env, l10n, Uri, type Webview, window, workspace } from 'vscode';
import type { Destination, FromAnyPage } from '../novsc/page-messages.ts';
import { webviewPage } from './webview-page.ts';

const goCommands: Readonly<Record<Destination, string>> = {
  code: 'ringside.goToCode',
  disassembly: 'ringside.showDisassembly',
  memory: 'ringside.showMemory',
  walk: 'ringside.walk',
  physical: 'ringside.showPhysicalMemory',
  screen: 'ringside.showScreen',
};

export interface WebviewHostOptions<In> {
  readonly webview: Webview;
  readonly extension: Uri;
  /** Name of the page in media/webviews. */
  readonly page: string;
  readonly title: string;
  /** The page is new or was loaded again and knows nothing. */
  readonly onReady: () => void;
  /** Messages of this page's own. */
  readonly onMessage?: (message: In) => void;
}

export class WebviewHost<In extends { readonly kind: string }, Out> implements Disposable {
  #ready = false;
  #listening: Disposable;

  constructor(readonly options: WebviewHostOptions<In>) {
    const { webview, extension, page, title } = options;
    const root = Uri.joinPath(extension, 'dist', 'webviews');
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    this.#listening = webview.onDidReceiveMessage((message: In | FromAnyPage) => this.#receive(message));
    webview.html = webviewPage(webview, root, page, title);
  }

  /** Lost while the page is not there: it is told everything when it is ready. */
  post(message: Out): void {
    if (this.#ready) void this.options.webview.postMessage(message);
  }

  dispose(): void {
    this.#ready = false;
    this.#listening.dispose();
  }

  #receive(message: In | FromAnyPage): void {
    const any = message as FromAnyPage;
    if (any.kind === 'ready') {
      this.#ready = true;
      this.options.onReady();
    } else if (any.kind === 'go') void commands.executeCommand(goCommands[any.to], any.address);
    else if (any.kind === 'copy') void env.clipboard.writeText(any.text);
    else if (any.kind === 'export') void saveFile(`${any.name}.${any.format}`, any.text);
    else this.options.onMessage?.(message as In);
  }
}

/** Asks where to, and writes the file. */
export async function saveFile(name: string, content: string | Uint8Array): Promise<void> {
  const folder = workspace.workspaceFolders?.[0]?.uri;
  const uri = await window.showSaveDialog({
    title: l10n.t('Export {0}', name),
    ...(folder ? { defaultUri: Uri.joinPath(folder, name) } : {}),
  });
  if (!uri) return;
  try {
    await workspace.fs.writeFile(uri, Buffer.from(content));
  } catch (error) {
    await window.showErrorMessage(
      l10n.t('{0} was not saved: {1}', name, error instanceof Error ? error.message : String(error)),
    );
  }
}
