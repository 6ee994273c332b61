/** A folder in which Linux was built, as a kernel developer opens it: a click in the gutter and F5, and no launch.json. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pictured, screenshot } from './harness/artifacts.ts';
import { Installed } from './harness/installed.ts';
import type { Workbench } from './harness/workbench.ts';

const vmlinux = process.env['RINGSIDE_SMALL_VMLINUX'] ?? '';
const sources = process.env['RINGSIDE_SMALL_SOURCES'] ?? '';
const FILE = 'init/main.c';
/** Early enough for a KVM that interprets supervisor code, and no earlier than the log's first line. */
const CODE = 'setup_arch(&command_line);';

const lineOf = (file: string, code: string): number =>
  readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((line) => line.trim() === code) + 1;

describe('a Linux tree', () => {
  let folder: string;
  let installed: Installed;
  let ui: Workbench;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ringside-tree-'));
    cpSync(sources, folder, { recursive: true });
    for (const file of ['vmlinux', '.config']) symlinkSync(join(dirname(vmlinux), file), join(folder, file));
    installed = await Installed.open(folder);
    ui = installed.ui;
  });

  after(async () => {
    await installed?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('boots by F5 to a breakpoint that was set by a click', () =>
    pictured(ui, 'kernel-tree', async () => {
      const line = lineOf(join(folder, FILE), CODE);
      assert.ok(line > 0, `${FILE} has no ${CODE}`);
      await ui.openFile(FILE);
      await ui.goToLine(line);
      await ui.clickGutter(line);
      await ui.press('F5');
      await ui.stoppedAt(line);
      await ui.showDebugSideBar();
      const stack = await ui.view('Call Stack');
      await stack
        .locator('.monaco-list-row')
        .filter({ hasText: 'start_kernel' })
        .filter({ hasText: 'main.c' })
        .waitFor();
      await ui.command('Ringside: Show Kernel Log');
      await ui.page
        .locator('.editor-instance .view-line')
        .filter({ hasText: /Linux.version/ })
        .first()
        .waitFor();
      await screenshot(ui, 'kernel-tree');
      await ui.debugButton('stop').click();
      await ui.page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
      assert.ok(!existsSync(join(folder, '.vscode')), 'nothing is written to the tree');
    }));
});
