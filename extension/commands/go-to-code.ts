/** `Ringside: Go to Code at Address`: the source line of an address, or its disassembly where there is none. */
import { l10n, Position, Range, Uri, window } from 'vscode';
import type { Hex } from '../../debug-adapter/protocol/custom.ts';
import { askedAddress } from '../debug/evaluate.ts';
import { activeSession } from '../debug/ringside-session.ts';
import type { Instruction } from '../novsc/disassembly-text.ts';
import type { DisassemblyDocuments } from './disassembly-document.ts';

export async function goToCode(disassembly: DisassemblyDocuments, given?: Hex): Promise<void> {
  const session = activeSession();
  if (!session) {
    await window.showInformationMessage(l10n.t('Start debugging a guest first.'));
    return;
  }
  const memoryReference =
    given ??
    (await askedAddress(
      session,
      await window.showInputBox({
        title: l10n.t('Go to Code'),
        prompt: l10n.t('A guest-virtual address: a number or a C expression, such as $rip or &function'),
      }),
    ));
  if (!memoryReference) return;
  try {
    const body: { instructions: readonly Instruction[] } = await session.customRequest('disassemble', {
      memoryReference,
      instructionCount: 1,
      resolveSymbols: true,
    });
    const { location, line } = body.instructions[0] ?? {};
    if (location?.path && line !== undefined) {
      const at = new Position(Math.max(0, line - 1), 0);
      await window.showTextDocument(fileAt(location.path), { selection: new Range(at, at) });
    } else await disassembly.show(memoryReference);
  } catch (error) {
    await window.showErrorMessage(`${memoryReference}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** VS Code puts URIs into the answers that it knows, in place of paths: in a remote window they name the remote, too. */
function fileAt(path: string): Uri {
  return /^[a-z][a-z0-9+.-]+:/i.test(path) ? Uri.parse(path) : Uri.file(path);
}
