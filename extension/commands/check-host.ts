/** `Ringside: Check Host`: the report of `ringside doctor`, made where the extension runs, as a read-only document. */
import { execFile } from 'node:child_process';
import {
  type Disposable,
  EventEmitter,
  type ExtensionContext,
  ProgressLocation,
  type TextDocumentContentProvider,
  Uri,
  window,
  workspace,
} from 'vscode';
import { ringsideProgram, runtime } from '../debug/adapter.ts';

const TIMEOUT_MS = 60_000;
const REPORT = Uri.from({ scheme: 'ringside-host', path: '/Ringside host report' });

export class HostReport implements TextDocumentContentProvider, Disposable {
  #changed = new EventEmitter<Uri>();
  #registration = workspace.registerTextDocumentContentProvider(REPORT.scheme, this);
  #report = '';
  readonly onDidChange = this.#changed.event;

  constructor(readonly context: ExtensionContext) {}

  async show(): Promise<void> {
    this.#report = await window.withProgress(
      { location: ProgressLocation.Notification, title: 'Ringside: asking KVM what it can do' },
      () => doctor(ringsideProgram(this.context)),
    );
    this.#changed.fire(REPORT);
    await window.showTextDocument(await workspace.openTextDocument(REPORT), { preview: false });
  }

  provideTextDocumentContent(): string {
    return this.#report;
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
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
