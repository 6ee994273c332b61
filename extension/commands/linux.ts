/** Commands for Linux guests: the kernel's log as a document, and the guest as a vmcore. */
import { l10n, ProgressLocation, Uri, window, workspace } from 'vscode';
import { request } from '../debug/ringside-session.ts';
import { size } from '../novsc/format.ts';
import type { StopStore } from '../state/stop-store.ts';
import { stoppedSession } from '../state/stopped-session.ts';
import type { Reports } from './reports.ts';

const stopped = (store: StopStore) => stoppedSession(store, l10n.t('Pause the guest to look into its kernel.'));

const say = (what: string, error: unknown) =>
  window.showErrorMessage(`${what}: ${error instanceof Error ? error.message : String(error)}`);

/** Opens what dmesg would print now. */
export async function showKernelLog(store: StopStore, reports: Reports): Promise<void> {
  const session = await stopped(store);
  if (!session) return;
  try {
    const { text, problem } = await request(session, 'ringside/kernelLog', {});
    await reports.show('Kernel.log', problem === undefined ? text : `${text}\n${problem}\n`);
  } catch (error) {
    await say(l10n.t('The kernel log was not read'), error);
  }
}

/** Shows what the kernel has at an address: of a variable, or of an expression that is asked for. */
export async function showWhatIs(store: StopStore, given?: string): Promise<void> {
  const session = await stopped(store);
  if (!session) return;
  const prompt = l10n.t('An address as a C expression: p, &x->list, $rsp, 0xffff888003a51234');
  const expression = given ?? (await window.showInputBox({ title: l10n.t('What Is at This Address?'), prompt }));
  if (!expression) return;
  try {
    const { address, lines } = await request(session, 'ringside/whatIs', {
      threadId: store.threadId,
      address: expression,
    });
    const known = lines.length > 0 ? lines : [l10n.t('Nothing is known about it.')];
    await window.showQuickPick(known, { title: expression === address ? address : `${expression} is ${address}` });
  } catch (error) {
    await say(l10n.t('The address was not looked up'), error);
  }
}

/** Asks where to, and has the adapter write the guest there. */
export async function writeVmcore(store: StopStore): Promise<void> {
  const session = await stopped(store);
  if (!session) return;
  const folder = workspace.workspaceFolders?.[0]?.uri;
  const uri = await window.showSaveDialog({
    title: l10n.t('Write vmcore'),
    ...(folder ? { defaultUri: Uri.joinPath(folder, 'vmcore') } : {}),
  });
  if (!uri) return;
  try {
    const written = await window.withProgress(
      { location: ProgressLocation.Notification, title: l10n.t('Writing {0}', uri.fsPath) },
      () => request(session, 'ringside/writeVmcore', { path: uri.fsPath }),
    );
    await window.showInformationMessage(l10n.t('{0} holds the guest, {1}.', uri.fsPath, size(BigInt(written.size))));
  } catch (error) {
    await say(l10n.t('The vmcore was not written'), error);
  }
}
