/** VS Code with the extension and its fake adapter, in a browser. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { screenshot } from './artifacts.ts';
import { type LoggedRequest, type StagedExtension, stageExtension } from './staged-extension.ts';
import { VsCodeServer } from './vscode-server.ts';
import { startBrowser, Workbench } from './workbench.ts';

export interface StagedWindow {
  readonly staged: StagedExtension;
  readonly workbench: Workbench;
  /** Opens the folder's source, and has F5 run the fake guest to its stop there. */
  debug(): Promise<void>;
  /** What the fake adapter was asked for, by the request's name. */
  requests(command: string): readonly LoggedRequest[];
  /** Saves what VS Code's simple dialog proposes this name for in the folder that is open, and gives the file's text. */
  saved(name: string): Promise<string>;
  /** Takes a last picture under this name, and ends and removes everything. */
  close(picture: string): Promise<void>;
}

/** `settings` are VS Code's, beside the theme. What was started is ended when a later part fails to start. */
export async function openStagedWindow(settings: Readonly<Record<string, unknown>> = {}): Promise<StagedWindow> {
  const undo: (() => unknown)[] = [];
  const end = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const staged = stageExtension();
    undo.push(() => staged.remove());
    const server = await VsCodeServer.start({
      folder: staged.folder,
      environment: { FAKE_ADAPTER_LOG: staged.log },
      settings: { 'workbench.colorTheme': 'Dark Modern', ...settings },
    });
    undo.push(() => server.stop());
    const browser = await startBrowser();
    undo.push(() => browser.close());
    const workbench = await Workbench.open(browser, server.page(staged.workspace));
    return {
      staged,
      workbench,
      async debug() {
        await workbench.openFile('kernel.c');
        await workbench.press('F5');
        await workbench.stoppedAt(1);
      },
      requests: (command) => staged.requests(command),
      async saved(name) {
        const file = join(staged.workspace, name);
        await workbench.answer(file, name);
        const text = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
        await workbench.until(
          () => text().length > 0,
          () => `${name} was not written`,
        );
        return text();
      },
      async close(picture) {
        await screenshot(workbench, picture);
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
