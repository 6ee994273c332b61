/**
 * `Ringside: Show Memory at Address` and `Show Physical Memory`: in VS Code's memory editor where it is installed, else
 * as a read-only document that follows the stops.
 */
import { commands, type DebugSession, type Disposable, extensions, l10n, window } from 'vscode';
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import { askedAddress } from '../debug/evaluate.ts';
import { hexDump } from '../novsc/hex-dump.ts';
import type { StopStore } from '../state/stop-store.ts';
import { GuestDocuments } from './guest-documents.ts';

const BYTES = 1024;
/** The editor that VS Code opens memory in, when it is installed. */
const MEMORY_EDITOR = 'ms-vscode.hexeditor';

export type MemorySpace = 'virtual' | 'physical';

interface ReadMemoryBody {
  readonly address: string;
  readonly data?: string;
  readonly unreadableBytes?: number;
}

export class MemoryDocuments implements Disposable {
  readonly #documents: GuestDocuments;

  constructor(readonly store: StopStore) {
    this.#documents = new GuestDocuments(store, 'ringside-memory', readDump);
  }

  /** Opens memory at an address, or at the value of a C expression that the user is asked for. */
  async show(space: MemorySpace, address?: Hex): Promise<void> {
    const at = address ?? (await this.#ask(space));
    if (!at) return;
    const reference = space === 'physical' ? `physical:${at}` : at;
    if (await openMemoryEditor(this.store.session, reference)) return;
    await this.#documents.show(`${reference}.memory`);
  }

  dispose(): void {
    this.#documents.dispose();
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
    return askedAddress(this.store.session, expression);
  }
}

/** `name` is that of a document: `physical:0x1000.memory`, without `physical:` where the address is virtual. */
async function readDump(session: DebugSession, name: string): Promise<string> {
  const [memoryReference = '', address = '0'] = /(?:physical:)?(0x[0-9a-f]+)/.exec(name) ?? [];
  const body: ReadMemoryBody = await session.customRequest('readMemory', { memoryReference, count: BYTES });
  const bytes = Buffer.from(body.data ?? '', 'base64');
  const rest = BYTES - bytes.length;
  const note = rest > 0 ? `${rest} bytes from here are not there\n` : '';
  return hexDump(BigInt(address), bytes) + note;
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
