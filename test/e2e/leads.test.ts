/** What the views lead to, by their buttons and menus: memory, disassembly, page walks, source lines, files, stops. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FrameLocator } from 'playwright-core';
import { pictured, screenshot } from './harness/artifacts.ts';
import { openStagedWindow, type StagedWindow } from './harness/staged-window.ts';
import type { Workbench } from './harness/workbench.ts';

/** Where the fake guest's kernel.elf begins. */
const PHYSICAL = '0x100000';
const VIRTUAL = '0xffffffff80000000';

describe('leads', () => {
  let window: StagedWindow;
  let workbench: Workbench;
  let page: FrameLocator;

  const requests = (command: string) => window.requests(command);
  before(async () => {
    window = await openStagedWindow({ 'files.simpleDialog.enable': true });
    workbench = window.workbench;
    page = workbench.webview();
    await window.debug();
    await workbench.showDebugSideBar();
    await workbench.widenSideBar(200);
    for (const title of ['Watch', 'Variables', 'Breakpoints', 'Call Stack']) await workbench.collapse(title);
  });

  after(() => window?.close('leads-last'));

  test('a region of the Memory Map leads to its memory, its disassembly and its page walk', () =>
    pictured(workbench, 'leads-map', async () => {
      await workbench.command('Ringside: Show Memory Map');
      const region = (name: string) => page.getByRole('option', { name });
      for (const name of ['RAM (RAM): 0x00100000', 'usable', 'kernel.elf']) await region(name).click();
      const press = (name: string) =>
        page
          .getByRole('region', { name: 'Details of the chosen region' })
          .getByRole('button', { name, exact: true })
          .click();
      for (const [button, name, text] of [
        ['Physical memory', `physical:${PHYSICAL}.memory`, /^0000000000100000.*\sat\sphysical:0x10$/],
        ['Memory', `${VIRTUAL}.memory`, /^ffffffff80000000.*\sat\s0xffffffff800$/],
        ['Disassembly', `${VIRTUAL}.disassembly`, /^ffffffff80000000\s+90\s+nop$/],
      ] as const) {
        await press(button);
        await workbench.linesOf(name).filter({ hasText: text }).waitFor();
        await screenshot(workbench, `leads-${button.toLowerCase().replace(' ', '-')}`);
      }
      await press('Page walk');
      // The view was folded.
      await workbench.row(workbench.page.locator('.part.sidebar'), `Walk of ${VIRTUAL}`).waitFor();
      await screenshot(workbench, 'leads-page-walk');
    }));

  test('the buttons of a region are whole in a narrow column', () =>
    pictured(workbench, 'leads-narrow', async () => {
      const details = page.getByRole('region', { name: 'Details of the chosen region' });
      const hidden = await details.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
      assert.equal(hidden, 0, `${hidden} pixels are out of sight`);
    }));

  test('so does its row in the side bar, by its menu', () =>
    pictured(workbench, 'leads-menu', async () => {
      await workbench.command('View: Close All Editors');
      await workbench.collapse('Page Tables');
      const map = await workbench.view('Memory Map');
      const row = workbench.row(map, 'kernel.elf');
      for (const [item, name] of [
        ['Show Physical Memory', `physical:${PHYSICAL}.memory`],
        ['Show Memory at Address', `${VIRTUAL}.memory`],
        ['Show Disassembly at Address', `${VIRTUAL}.disassembly`],
      ] as const) {
        await workbench.chooseFromMenu(row, item);
        await workbench.linesOf(name).first().waitFor();
      }
      await workbench.chooseFromMenu(row, 'Go to Code at Address');
      await workbench.cursorAt('kernel.c', 30);
      const before = requests('ringside/walk').length;
      await workbench.chooseFromMenu(row, 'Walk Page Tables of an Address');
      await workbench.until(
        () => requests('ringside/walk').length > before,
        () => 'nothing was walked',
      );
      assert.equal(requests('ringside/walk').at(-1)?.arguments?.address, VIRTUAL);
      await workbench.chooseFromMenu(workbench.row(map, 'Framebuffer 256 × 192, 32 bits a pixel'), 'Show Screen');
      await workbench.webview(-1).getByRole('img', { name: 'Screen of the guest, 256 × 192 pixels' }).waitFor();
      for (const title of ['Memory Map', 'Page Tables']) await workbench.collapse(title);
    }));

  test('what makes the guest exit leads to its code, by count and by exit', () =>
    pictured(workbench, 'leads-exits', async () => {
      await workbench.command('View: Close All Editors');
      await workbench.view('Exits and I/O');
      const tab = (name: string) => page.getByRole('tab', { name }).click();
      const row = (text: string) => page.locator('.row:not(.head)').filter({ hasText: text }).first();
      const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
      await tab('Code');
      await row('serial_put+0x20').click();
      await press('Go to Code');
      await workbench.cursorAt('kernel.c', 30);
      await row('0xffffffff80004000').click();
      await press('Go to Code');
      await workbench.linesOf('0xffffffff80004000.disassembly').filter({ hasText: 'nop' }).first().waitFor();
      await screenshot(workbench, 'leads-code-without-source');
      await tab('Trace');
      await press('Trace');
      await workbench.debugButton('continue').click();
      await row('memory write').waitFor();
      await workbench.debugButton('pause').click();
      await workbench.stoppedAt(2);
      await workbench.command('View: Close All Editors');
      await row('memory write').click();
      await press('Go to Code');
      await workbench.cursorAt('kernel.c', 30);
    }));

  test('the guest is stopped at the next exit like one of the trace, and no more', () =>
    pictured(workbench, 'leads-stop', async () => {
      const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
      const stopsOn = () => requests('ringside/stopOn').at(-1)?.arguments?.stops;
      await press('Stop on This');
      await page.getByRole('button', { name: 'Stop No More' }).waitFor();
      assert.deepEqual(stopsOn(), ['mmio 0xfee000b0 write']);
      await screenshot(workbench, 'leads-stop');
      await press('Stop No More');
      await page.getByRole('button', { name: 'Stop on This' }).waitFor();
      assert.deepEqual(stopsOn(), []);
    }));

  test('exits are saved as they are counted and as they are traced', () =>
    pictured(workbench, 'leads-export', async () => {
      const save = async (format: 'csv' | 'json', name: string) => {
        await page.getByRole('button', { name: format.toUpperCase(), exact: true }).click();
        return window.saved(`${name}.${format}`);
      };
      await page.getByRole('searchbox').fill('LSR');
      await page.locator('.count').filter({ hasText: ' rows of ' }).waitFor();
      const traced: readonly Record<string, string>[] = JSON.parse(await save('json', 'exits'));
      assert.ok(
        traced.length > 0 && traced.every(({ device, where }) => device === 'COM1 LSR' && where === 'serial_put+0x12'),
        JSON.stringify(traced),
      );
      await page.getByRole('tab', { name: 'Ports and Memory' }).click();
      await page.getByRole('searchbox').fill('COM1');
      await page.locator('.count').filter({ hasText: '2 of 4' }).waitFor();
      const [head, ...counted] = (await save('csv', 'exits-by-place')).trimEnd().split('\r\n');
      assert.match(head ?? '', /^reason,address,device,/);
      assert.deepEqual(counted.map((line) => line.split(',').slice(0, 3).join(' ')).sort(), [
        'port read 0x3fd COM1 LSR',
        'port write 0x3f8 COM1 THR',
      ]);
    }));

  test('in a view as low as VS Code lets it be, another row can be chosen', () =>
    pictured(workbench, 'leads-low', async () => {
      await page.getByRole('searchbox').fill('');
      for (const title of ['Call Stack', 'vCPU Registers']) await workbench.view(title);
      for (const text of ['COM1 THR', 'COM1 LSR'])
        await page.locator('.row:not(.head)').filter({ hasText: text }).click();
      await page.locator('.row.chosen').filter({ hasText: 'COM1 LSR' }).waitFor();
      await screenshot(workbench, 'leads-low');
    }));
});
