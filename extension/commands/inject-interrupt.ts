/** `Ringside: Inject Interrupt`: sends the vCPU that is looked at an interrupt or an NMI. */
import { l10n, window } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { byte } from '../novsc/format.ts';
import { NMI, parseVector } from '../novsc/vector.ts';
import type { StopStore } from '../state/stop-store.ts';
import { stoppedSession } from '../state/stopped-session.ts';

/** `given`: the vector of the row that the command was called on. */
export async function injectInterrupt(store: StopStore, given?: number): Promise<void> {
  const session = await stoppedSession(store, l10n.t('Pause the guest to inject an interrupt.'));
  if (!session) return;
  const { threadId } = store;
  const answer = await window.showInputBox({
    title: l10n.t('Inject an Interrupt into vCPU {0}', threadId - 1),
    prompt: l10n.t(
      'A vector from 16 to 255, such as 0x20, or {0}. The local APIC requests it; it is delivered when the guest runs',
      NMI,
    ),
    value: given === undefined ? '' : byte(given),
    validateInput: (text) =>
      text === '' || parseVector(text) !== undefined ? undefined : `Write a number from 16 to 255, or ${NMI}.`,
  });
  const vector = parseVector(answer ?? '');
  if (vector === undefined) return;
  try {
    await request(session, 'ringside/inject', { threadId, ...(vector === NMI ? {} : { vector }) });
    store.refresh();
  } catch (error) {
    await window.showErrorMessage(error instanceof Error ? error.message : String(error));
  }
}
