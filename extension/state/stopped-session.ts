/** The guest that stands, for commands that look into it. */
import { type DebugSession, l10n, window } from 'vscode';
import type { StopStore } from './stop-store.ts';

/** The session of a stopped guest. Where there is none it says what to do: `pause`, of a guest that runs. */
export async function stoppedSession(store: StopStore, pause: string): Promise<DebugSession | undefined> {
  const { phase, session } = store;
  if (session && phase === 'stopped') return session;
  const isThere = session !== undefined && phase !== 'ended';
  await window.showInformationMessage(isThere ? pause : l10n.t('Start debugging a guest first.'));
  return undefined;
}
