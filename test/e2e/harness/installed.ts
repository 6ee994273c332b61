/** VS Code with the extension as a user has it, the packaged one, in a window on a folder. */
import type { Browser } from 'playwright-core';
import { type Packaged, packageExtension } from './package.ts';
import { VsCodeServer } from './vscode-server.ts';
import { startBrowser, Workbench } from './workbench.ts';

export class Installed {
  readonly #packaged: Packaged;
  readonly server: VsCodeServer;
  readonly #browser: Browser;
  readonly ui: Workbench;

  private constructor(packaged: Packaged, server: VsCodeServer, browser: Browser, ui: Workbench) {
    this.#packaged = packaged;
    this.server = server;
    this.#browser = browser;
    this.ui = ui;
  }

  /** Opens the window; `options` are the server's. What was opened is closed again when something goes wrong. */
  static async open(
    folder: string,
    options: Omit<Parameters<typeof VsCodeServer.start>[0], 'vsix'> = {},
  ): Promise<Installed> {
    const packaged = packageExtension();
    let server: VsCodeServer | undefined;
    let browser: Browser | undefined;
    try {
      server = await VsCodeServer.start({ vsix: packaged.vsix, ...options });
      browser = await startBrowser();
      return new Installed(packaged, server, browser, await Workbench.open(browser, server.page(folder)));
    } catch (error) {
      await browser?.close();
      await server?.stop();
      packaged.remove();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.server.stop();
    this.#packaged.remove();
  }
}
