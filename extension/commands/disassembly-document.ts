/**
 * `Ringside: Show Disassembly at Address`: a read-only document that follows the stops. VS Code's own disassembly view can
 * be opened by no extension anywhere but at the selected frame.
 */
import { type DebugSession, type Disposable, l10n, Position, Selection, window } from 'vscode';
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import { askedAddress } from '../debug/evaluate.ts';
import { addressText, disassemblyText, type Instruction } from '../novsc/disassembly-text.ts';
import type { StopStore } from '../state/stop-store.ts';
import { GuestDocuments } from './guest-documents.ts';

/** Instructions shown, and how many of them are before the address. */
const COUNT = 256;
const BEFORE = 16;

export class DisassemblyDocuments implements Disposable {
  readonly #documents: GuestDocuments;

  constructor(readonly store: StopStore) {
    this.#documents = new GuestDocuments(store, 'ringside-disassembly', readCode);
  }

  /** Opens code at an address, or at the value of a C expression that the user is asked for; the cursor is there. */
  async show(address?: Hex): Promise<void> {
    const at = address ?? (await this.#ask());
    if (!at) return;
    const editor = await this.#documents.show(`${at}.disassembly`);
    const lines = editor.document.getText().split('\n');
    const line = lines.findIndex((text) => text.startsWith(addressText(at)));
    const place = new Position(Math.max(0, line), 0);
    editor.selection = new Selection(place, place);
    editor.revealRange(editor.selection);
  }

  dispose(): void {
    this.#documents.dispose();
  }

  async #ask(): Promise<Hex | undefined> {
    const expression = await window.showInputBox({
      title: l10n.t('Show Disassembly'),
      prompt: l10n.t('A guest-virtual address: a number or a C expression, such as $rip or &function'),
      value: '$rip',
    });
    return askedAddress(this.store.session, expression);
  }
}

/** `name` is that of a document: `0x1000.disassembly`. */
async function readCode(session: DebugSession, name: string): Promise<string> {
  const [memoryReference = '0x0'] = /0x[0-9a-f]+/.exec(name) ?? [];
  const body: { readonly instructions: readonly Instruction[] } = await session.customRequest('disassemble', {
    memoryReference,
    instructionOffset: -BEFORE,
    instructionCount: COUNT,
    resolveSymbols: true,
  });
  const text = disassemblyText(body.instructions);
  return text || `${l10n.t('Nothing is mapped at {0}.', memoryReference)}\n`;
}
