/** `Ringside: Check Host`: the report of `ringside doctor`, made where the extension runs, as a read-only document. */
import { execFile } from 'node:child_process';
import { type ExtensionContext, l10n, ProgressLocation, window } from 'vscode';
import { ringsideProgram, runtime } from '../debug/adapter.ts';
import type { Reports } from './reports.ts';

const TIMEOUT_MS = 60_000;

/** Asks, and opens what is answered. */
export async function checkHost(context: ExtensionContext, reports: Reports): Promise<void> {
  const report = await window.withProgress(
    { location: ProgressLocation.Notification, title: l10n.t('Ringside: asking KVM what it can do') },
    () => doctor(ringsideProgram(context)),
  );
  await reports.show('Ringside host report', report);
}

/** The report is worth showing when the host is not fit, too: then doctor's exit status is not 0. */
function doctor(program: string): Promise<string> {
  const env = { ...process.env, ...runtime.env };
  return new Promise((resolve) => {
    execFile(runtime.command, [program, 'doctor'], { env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      const failure = error && stdout === '' ? `ringside doctor failed: ${error.message}\n` : '';
      resolve(`${stdout}${stderr}${failure}`);
    });
  });
}
