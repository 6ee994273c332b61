/** Runs extension-host/index.ts inside the extension host of VS Code's server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patience } from '../patience.ts';
import { stageExtension } from './harness/staged-extension.ts';
import { VsCodeServer } from './harness/vscode-server.ts';
import { startBrowser } from './harness/workbench.ts';

test('tests in the extension host pass', { timeout: patience(180_000) }, async () => {
  const staged = stageExtension();
  const server = await VsCodeServer.start({ testDriver: true });
  const browser = await startBrowser();
  const lines: string[] = [];
  try {
    const page = await browser.newPage();
    page.on('console', (message) => lines.push(message.text()));
    const ended = new Promise<number>((resolve) => void page.exposeFunction('codeAutomationExit', resolve));
    await page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) => lines.push(args.join(' ')));
    await page.goto(
      server.page(staged.workspace, [
        ['extensionDevelopmentPath', server.remote(staged.folder)],
        ['extensionTestsPath', server.remote(staged.tests)],
      ]),
    );
    const status = await ended;
    const report = lines.filter((line) => /passed|failed|AssertionError|Error:/.test(line)).join('\n');
    assert.equal(status, 0, report);
    assert.match(report, /all [0-9]+ passed/);
  } finally {
    await browser.close();
    await server.stop();
    staged.remove();
  }
});
