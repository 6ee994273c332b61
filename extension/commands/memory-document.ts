/** `Ringside: Show Memory at Address`: guest memory as a read-only document that follows the stops. */
import { Disposable, EventEmitter, type TextDocumentContentProvider, Uri, ViewColumn, window, workspace } from 'vscode';
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import { hexDump } from '../novsc/hex-dump.ts';
import type { StopStore } from '../state/stop-store.ts';

const SCHEME = 'ringside-memory';
const BYTES = 1024;

interface EvaluateBody {
  readonly result: string;
  readonly memoryReference?: string;
}

interface ReadMemoryBody {
  readonly address: string;
  readonly data?: string;
  readonly unreadableBytes?: number;
}

export class MemoryDocuments implements TextDocumentContentProvider, Disposable {
  #changed = new EventEmitter<Uri>();
  #stop = 0;
  #disposables: Disposable[];
  readonly onDidChange = this.#changed.event;

  constructor(readonly store: StopStore) {
    this.#disposables = [
      this.#changed,
      workspace.registerTextDocumentContentProvider(SCHEME, this),
      store.onDidChange(() => this.#refresh()),
    ];
  }

  /** Opens memory at an address, or at the value of a C expression that the user is asked for. */
  async show(address?: Hex): Promise<void> {
    const at = address ?? (await this.#ask());
    if (!at) return;
    const uri = Uri.from({ scheme: SCHEME, path: `/${at}.memory` });
    const document = await workspace.openTextDocument(uri);
    this.#changed.fire(uri);
    await window.showTextDocument(document, { viewColumn: ViewColumn.Beside, preserveFocus: true, preview: false });
  }

  async provideTextDocumentContent(uri: Uri): Promise<string> {
    const address = /0x[0-9a-f]+/.exec(uri.path)?.[0];
    const { session } = this.store;
    if (!address || !session || this.store.phase === 'ended') return 'The guest is gone.\n';
    try {
      const body: ReadMemoryBody = await session.customRequest('readMemory', {
        memoryReference: address,
        count: BYTES,
      });
      const bytes = Buffer.from(body.data ?? '', 'base64');
      const rest = BYTES - bytes.length;
      const note = rest > 0 ? `${rest} bytes from here are not mapped\n` : '';
      return hexDump(BigInt(address), bytes) + note;
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\n`;
    }
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  async #ask(): Promise<Hex | undefined> {
    const expression = await window.showInputBox({
      title: 'Show Memory',
      prompt: 'A guest-virtual address: a number or a C expression, such as $rsp or &buffer',
      value: '$rsp',
    });
    const { session } = this.store;
    if (!expression?.trim() || !session) return undefined;
    try {
      const body: EvaluateBody = await session.customRequest('evaluate', { expression, context: 'watch' });
      const address = body.memoryReference ?? /0x[0-9a-fA-F]+|[0-9]+/.exec(body.result)?.[0];
      if (address) return `0x${BigInt(address).toString(16)}`;
      await window.showErrorMessage(`${expression} is ${body.result}, which is no address.`);
    } catch (error) {
      await window.showErrorMessage(`${expression}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return undefined;
  }

  /** Open documents are read again once a stop. */
  #refresh(): void {
    const stop = this.store.stopNumber;
    if (stop === this.#stop || this.store.phase !== 'stopped') return;
    this.#stop = stop;
    for (const document of workspace.textDocuments) {
      if (document.uri.scheme === SCHEME) this.#changed.fire(document.uri);
    }
  }
}
