/** What the views say where they have nothing to show: before, while and after a guest runs, and when it cannot be read. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { pictured, screenshot } from './harness/artifacts.ts';
import { writeLaunchFile } from './harness/sample.ts';
import { openStagedWindow, type StagedWindow } from './harness/staged-window.ts';
import type { Workbench } from './harness/workbench.ts';

/** Views that are trees, and those that are pages, with the part of the state that each shows. */
const trees = [
  ['vCPU Registers', 'registers'],
  ['Page Tables', 'pageTables'],
  ['Interrupts', 'interrupts'],
  ['Memory Map', 'memoryMap'],
  ['Tasks', 'tasks'],
] as const;
const pages = [
  ['Hypercalls', 'hypercalls'],
  ['Exits and I/O', 'exits'],
  ['vCPUs', 'vcpus'],
] as const;

describe('where there is nothing to show', () => {
  let window: StagedWindow;
  let workbench: Workbench;
  let page: FrameLocator;

  const note = (text: string) => page.locator('.note').getByText(text).waitFor();
  const tab = (name: string) => page.getByRole('tab', { name }).click();
  const closeEditors = () => workbench.command('View: Close All Editors');
  /** A link of our walkthrough, which is there without a guest. */
  const follow = async (step: string, link: string) => {
    await workbench.command('Welcome: Open Walkthrough...');
    await workbench.type('Look into a Kernel');
    await workbench.choose('Look into a Kernel with Ringside');
    const walkthrough = workbench.page.locator('.gettingStartedContainer');
    await walkthrough.locator('.step-title').getByText(step).click();
    await walkthrough.getByRole('button', { name: link }).filter({ visible: true }).click();
  };
  /** Presses what wants another state of the guest, and takes away what VS Code then says. */
  const says = async (button: string, text: string) => {
    await page.getByRole('button', { name: button, exact: true }).click();
    const toast = workbench.page.locator('.notification-toast').filter({ hasText: text });
    await toast.hover();
    await toast.locator('.codicon-notifications-clear').click();
    await toast.waitFor({ state: 'hidden' });
  };

  before(async () => {
    window = await openStagedWindow();
    workbench = window.workbench;
    // The walkthrough has a page, too, and opens ours after its own.
    page = workbench.webview(-1);
  });

  after(() => window?.close('empty-last'));

  test('without a guest: how to have one', () =>
    pictured(workbench, 'empty-without', async () => {
      await workbench.press('Control+Shift+D');
      const sideBar = workbench.page.locator('.part.sidebar');
      for (const name of ['Open the Sample Guest', 'Check This Host'])
        await sideBar.getByRole('button', { name }).waitFor();
      await follow('Memory to scale', 'Show Memory Map');
      await note('Start debugging a guest to see its state here.');
      await screenshot(workbench, 'empty-without');
      await closeEditors();
    }));

  test('while it runs: to pause it, in each view', () =>
    pictured(workbench, 'empty-running', async () => {
      await window.debug();
      await workbench.showDebugSideBar();
      for (const title of ['Watch', 'Variables', 'Breakpoints', 'Call Stack']) await workbench.collapse(title);
      await workbench.debugButton('continue').click();
      await workbench.debugButton('pause').waitFor();
      for (const [title] of trees) {
        const view = await workbench.view(title);
        await view.getByText('The guest is running. Its state is shown when it stops').waitFor();
        await view.getByRole('button', { name: 'Pause' }).waitFor();
        if (title !== 'Tasks') await workbench.collapse(title);
      }
      await workbench.command('Ringside: Show Address Space');
      await note('The guest is running. Pause it to see its state here.');
      await screenshot(workbench, 'empty-running');
      const tasks = await workbench.view('Tasks');
      await tasks.getByRole('button', { name: 'Pause' }).click();
      await workbench.row(tasks, 'init').waitFor();
      await page.getByRole('tab', { name: 'Ranges' }).waitFor();
    }));

  test('while it runs: what was read at the last stop, and what would be read now', () =>
    pictured(workbench, 'empty-last-stop', async () => {
      await workbench.collapse('Tasks');
      const tables = await workbench.view('Page Tables');
      await workbench.row(tables, 'PML4E[0]').waitFor();
      await workbench.debugButton('continue').click();
      await tables.locator('.message').getByText('The guest is running. This is the state of its last stop.').waitFor();
      await workbench.unfold(
        workbench.row(tables, 'PML4E[0]'),
        workbench.row(tables, 'Pause the guest to read this table'),
      );
      await tab('Find physical');
      await page.getByLabel('Guest-physical address').fill('0x1234');
      await page.getByRole('button', { name: 'Find', exact: true }).click();
      await note('Pause the guest to search its page tables.');
      await says('Other CR3', 'Pause the guest to look at its page tables.');
      await tab('Ranges');
      await page.locator('.row:not(.head)').filter({ hasText: '.text' }).first().click();
      await says('Page walk', 'Pause the guest to walk its page tables.');
      await screenshot(workbench, 'empty-last-stop');
      await workbench.debugButton('pause').click();
      await workbench.debugButton('continue').waitFor();
    }));

  test('of tables: what to press, and that a search finds nothing', () =>
    pictured(workbench, 'empty-tables', async () => {
      await page.getByRole('searchbox').fill('no such range');
      await note('No row matches. Search for less, or press fewer filters.');
      await closeEditors();
      await workbench.collapse('Page Tables');
      await workbench.view('Exits and I/O');
      await tab('Trace');
      await note('Press Trace to have every exit written down.');
      await page.getByRole('button', { name: 'Trace', exact: true }).click();
      await note('No exits since the trace began.');
      await tab('Stops');
      await note('Choose an exit to stop on the next like it.');
      await workbench.collapse('Exits and I/O');
    }));

  test('after its end: how to have another', () =>
    pictured(workbench, 'empty-ended', async () => {
      const end = async () => {
        await workbench.debugButton('stop').click();
        await workbench.page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
      };
      await end();
      // A guest that no view looks at.
      await window.debug();
      await end();
      const unread = 'The guest has ended, and this was not read before. Start debugging to see it.';
      for (const title of ['Exits and I/O', 'vCPUs']) {
        await workbench.view(title);
        await note(unread);
        await workbench.collapse(title);
      }
      await follow('Page tables and the address space', 'Show Address Space');
      await note(unread);
      await screenshot(workbench, 'empty-ended');
      await closeEditors();
      const tasks = await workbench.view('Tasks');
      await tasks.getByText('No guest was seen here yet.').waitFor();
      const launches = window.requests('launch').length;
      await workbench.openFile('kernel.c');
      await tasks.getByRole('button', { name: 'Start Debugging' }).click();
      await workbench.stoppedAt(1);
      assert.equal(window.requests('launch').length, launches + 1);
      await end();
      await workbench.collapse('Tasks');
    }));

  test('of a guest that cannot be read: why, and what to do', () =>
    pictured(workbench, 'empty-shut', async () => {
      const { workspace } = window.staged;
      writeLaunchFile(workspace, { program: join(workspace, 'kernel.elf'), args: 'shut' });
      await closeEditors();
      await window.debug();
      for (const [title, part] of trees) {
        const view = await workbench.view(title);
        await view.locator('.message').getByText(`The ${part} are shut. Open them.`).waitFor();
        assert.equal(await view.locator('.monaco-list-row').count(), 0);
        await workbench.collapse(title);
      }
      for (const [title, part] of pages) {
        await workbench.view(title);
        await note(`The ${part} are shut. Open them.`);
        await workbench.collapse(title);
      }
      for (const [command, part] of [
        ['Show Memory Map', 'memoryMap'],
        ['Show Address Space', 'addressSpace'],
        ['Show Screen', 'screen'],
      ] as const) {
        await workbench.command(`Ringside: ${command}`);
        await note(part === 'screen' ? 'The screen is shut. Open it.' : `The ${part} are shut. Open them.`);
        await screenshot(workbench, `empty-shut-${part}`);
        await closeEditors();
      }
    }));
});
