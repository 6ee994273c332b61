/**
 * `Ringside: Show Memory at Address` and `Show Physical Memory`: in VS Code's memory editor where it is installed, else
 * as a read-only document that follows the stops.
 */
import {
  commands,
  type DebugSession,
  Disposable,
  EventEmitter,
  extensions,
  l10n,
  type TextDocumentContentProvider,
  Uri,
  ViewColumn,
  window,
  workspace,
} from 'vscode';
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import { evaluateAddress } from '../debug/evaluate.ts';
import { hexDump } from '../novsc/hex-dump.ts';
import type { StopStore } from '../state/stop-store.ts';

const SCHEME = 'ringside-memory';
const BYTES = 1024;
/** The editor that VS Code opens memory in, when it is installed. */
const MEMORY_EDITOR = 'ms-vscode.hexeditor';

export type MemorySpace = 'virtual' | 'physical';

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
  async show(space: MemorySpace, address?: Hex): Promise<void> {
    const at = address ?? (await this.#ask(space));
    if (!at) return;
    const reference = space === 'physical' ? `physical:${at}` : at;
    if (await openMemoryEditor(this.store.session, reference)) return;
    const uri = Uri.from({ scheme: SCHEME, path: `/${reference}.memory` });
    const document = await workspace.openTextDocument(uri);
    this.#changed.fire(uri);
    await window.showTextDocument(document, { viewColumn: ViewColumn.Beside, preserveFocus: true, preview: false });
  }

  async provideTextDocumentContent(uri: Uri): Promise<string> {
    const [reference, address] = /(?:physical:)?(0x[0-9a-f]+)/.exec(uri.path) ?? [];
    const { session } = this.store;
    if (!address || !session || this.store.phase === 'ended') return 'The guest is gone.\n';
    try {
      const body: ReadMemoryBody = await session.customRequest('readMemory', {
        memoryReference: reference,
        count: BYTES,
      });
      const bytes = Buffer.from(body.data ?? '', 'base64');
      const rest = BYTES - bytes.length;
      const note = rest > 0 ? `${rest} bytes from here are not there\n` : '';
      return hexDump(BigInt(address), bytes) + note;
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\n`;
    }
  }

  dispose(): void {
    Disposable.from(...this.#disposables).dispose();
  }

  async #ask(space: MemorySpace): Promise<Hex | undefined> {
    const expression = await window.showInputBox({
      title: space === 'physical' ? l10n.t('Show Physical Memory') : l10n.t('Show Memory'),
      prompt:
        space === 'physical'
          ? l10n.t('A guest-physical address: a number or a C expression, such as $cr3')
          : l10n.t('A guest-virtual address: a number or a C expression, such as $rsp or &buffer'),
      value: space === 'physical' ? '0x0' : '$rsp',
    });
    const { session } = this.store;
    if (!expression?.trim() || !session) return undefined;
    try {
      return await evaluateAddress(session, expression);
    } catch (error) {
      await window.showErrorMessage(`${expression}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
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

/** Opens VS Code's memory editor, which can write too; false where it is not installed. */
async function openMemoryEditor(session: DebugSession | undefined, memoryReference: string): Promise<boolean> {
  if (!session || !extensions.getExtension(MEMORY_EDITOR)) return false;
  await commands.executeCommand('workbench.debug.viewlet.action.viewMemory', {
    sessionId: session.id,
    container: undefined,
    variable: { name: memoryReference, value: '', variablesReference: 0, memoryReference },
  });
  return true;
}
