/** The pages that open in editors, driven against an adapter with canned state, and looked at in three themes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { FrameLocator, Locator } from 'playwright-core';
import { pictured } from './harness/artifacts.ts';
import { pixelOf } from './harness/canvas.ts';
import { openStagedWindow, type StagedWindow } from './harness/staged-window.ts';
import { readableInEveryTheme } from './harness/themes.ts';
import type { Workbench } from './harness/workbench.ts';

describe('editors', () => {
  let window: StagedWindow;
  let workbench: Workbench;
  let page: FrameLocator;

  const requests = (command: string) => window.requests(command);
  const row = (text: string | RegExp): Locator => page.locator('.row:not(.head)').filter({ hasText: text });
  const tab = (name: string) => page.getByRole('tab', { name }).click();
  const toggle = (name: string) => page.getByRole('button', { name, exact: true }).click();
  const count = (words: string) => page.getByRole('status').getByText(words).waitFor();

  before(async () => {
    window = await openStagedWindow({ 'files.simpleDialog.enable': true });
    workbench = window.workbench;
    page = workbench.webview();
    await window.debug();
  });

  after(() => window?.close('editors-last'));

  test('the address space is read when its editor is open', () =>
    pictured(workbench, 'address-space', async () => {
      assert.deepEqual(requests('ringside/snapshot'), []);
      await workbench.command('Ringside: Show Address Space');
      await count('9 ranges');
      assert.deepEqual(
        requests('ringside/snapshot').map((request) => request.arguments?.parts),
        [['addressSpace']],
      );
    }));

  test('ranges are filtered, searched, ordered and chosen with the keyboard', () =>
    pictured(workbench, 'ranges', async () => {
      await toggle('W+X');
      await count('2 of 9 ranges');
      await toggle('U+W');
      await count('1 of 9 ranges');
      await row('00007fff00002000').waitFor();
      await toggle('W+X');
      await toggle('U+W');
      await toggle('Not present');
      await count('1 of 9 ranges');
      await toggle('Not present');
      await page.getByRole('searchbox').fill('.data');
      await count('1 of 9 ranges');
      await page.getByRole('searchbox').fill('');
      await page.getByRole('button', { name: 'Size' }).click();
      await page.getByRole('columnheader', { name: 'Size' }).and(page.locator('[aria-sort=ascending]')).waitFor();
      const grid = page.getByRole('grid', { name: 'Ranges' });
      await grid.focus();
      await grid.press('End');
      await page.getByRole('region', { name: 'Details of the chosen row of Ranges' }).getByText('256 MiB').waitFor();
    }));

  test('a range leads to memory and to its page walk', () =>
    pictured(workbench, 'leads', async () => {
      await page.getByRole('button', { name: 'Physical memory' }).click();
      await workbench.page.locator('.tab[data-resource-name*="physical:0x0"]').waitFor();
      await workbench.until(
        () => requests('readMemory').some(({ arguments: args }) => args?.memoryReference === 'physical:0x0'),
        () => 'physical memory was not read',
      );
    }));

  test('rows are exported to a file', () =>
    pictured(workbench, 'export', async () => {
      await page.getByRole('button', { name: 'CSV' }).click();
      const lines = (await window.saved('address-space.csv')).trimEnd().split('\r\n');
      assert.match(lines[0] ?? '', /^start,size,rights/);
      assert.equal(lines.length, 10);
    }));

  test('after a step the changes are shown, and can be those since another stop', () =>
    pictured(workbench, 'changes', async () => {
      await tab('Changes');
      await page.getByText('Step or continue to see what changes.').waitFor();
      for (const line of [2, 3]) {
        await workbench.debugButton('step-over').click();
        await workbench.stoppedAt(line);
      }
      await count('3 changes');
      await toggle('Mappings only');
      await count('2 of 3 changes');
      await page.getByLabel('Since').selectOption({ label: 'line_1+0x4, vCPU 0 (1)' });
      await workbench.until(
        () => requests('ringside/snapshot').at(-1)?.arguments?.pages?.since === 1,
        () => 'no other stop was asked for',
      );
    }));

  test('a physical address leads to all its virtual ones', () =>
    pictured(workbench, 'find', async () => {
      await tab('Find physical');
      await page.getByLabel('Guest-physical address').fill('0x1234');
      await page.getByRole('button', { name: 'Find', exact: true }).click();
      await row('0xffff888000001234').waitFor();
      await count('2 addresses, of physical 0x1234');
    }));

  test('the heat map has a cell for each part that is mapped', () =>
    pictured(workbench, 'heat', async () => {
      await tab('Heat map');
      const parts = page.getByRole('listbox', { name: 'Parts of the address space' });
      await parts.focus();
      await parts.press('ArrowRight');
      await parts.press('ArrowRight');
      await page.getByRole('region', { name: 'Details of the chosen part' }).getByText('0x400000').waitFor();
    }));

  test('the pages of the address space are readable in every theme, and by everybody', () =>
    pictured(workbench, 'themes', async () => {
      await readableInEveryTheme(workbench, {
        ...{ name: 'address-space', page },
        looks: ['Ranges', 'Heat map', 'Changes'].map((title) => ({
          name: title.split(' ')[0]?.toLowerCase() ?? title,
          show: () => tab(title),
        })),
      });
    }));

  test('the memory map is drawn to scale, and readable in every theme', () =>
    pictured(workbench, 'memory-map', async () => {
      await workbench.command('View: Close Editor');
      await workbench.command('Ringside: Show Memory Map');
      const region = (name: string) => page.getByRole('option', { name });
      await region('RAM (RAM): 0x00100000').click();
      await region('usable').click();
      await region('kernel.elf').click();
      const details = page.getByRole('region', { name: 'Details of the chosen region' });
      await details.getByText('0x00100000–0x0011bfff, 112 KiB').waitFor();
      const [ram, hole] = [await region('RAM (RAM): 0x00100000').boundingBox(), await region('I/O APIC').boundingBox()];
      assert.ok(ram && hole && ram.width > hole.width);
      for (const action of ['Physical memory', 'Memory', 'Disassembly', 'Page walk']) {
        await details.getByRole('button', { name: action, exact: true }).waitFor();
      }
      await page.locator('.legend').getByText('framebuffer').waitFor();
      await region('Framebuffer 256 × 192, 32 bits a pixel (framebuffer): 0xc0000000–0xc002ffff, 192 KiB').click();
      await details.getByText('XRGB8888, 1024 bytes a row').waitFor();
      await details.getByRole('button', { name: 'Physical memory', exact: true }).waitFor();
      await details.getByRole('button', { name: 'Screen', exact: true }).waitFor();
      await tab('Regions');
      await row(/c0000000.*192 KiB.*framebuffer.*Framebuffer 256 × 192/).waitFor();
      await readableInEveryTheme(workbench, {
        ...{ name: 'memory-map', page },
        looks: [
          {
            name: 'picture',
            show: async () => {
              await tab('Picture');
              await region('RAM (RAM): 0x00100000').click();
            },
          },
          { name: 'regions', show: () => tab('Regions') },
          { name: 'i-o-ports', show: () => tab('I/O ports') },
        ],
      });
    }));

  test('the screen has what is drawn in the framebuffer, at each stop and while the guest runs', () =>
    pictured(workbench, 'screen', async () => {
      // The last page of those that are open.
      const screen = workbench.webview(-1);
      const pixel = (x: number, y: number) => pixelOf(screen, x, y);
      const editor = (name: string) => workbench.page.locator('.tabs-container .tab').filter({ hasText: name });
      const asked = () => requests('ringside/screen').length;
      await tab('Picture');
      await page.getByRole('option', { name: 'Framebuffer 256' }).click();
      assert.equal(asked(), 0);
      await page.getByRole('button', { name: 'Screen', exact: true }).click();
      await screen.getByRole('img', { name: 'Screen of the guest, 256 × 192 pixels' }).waitFor();
      await screen.getByRole('status').getByText('256 × 192 pixels, the guest is stopped').waitFor();
      // The stop's number is the blue in it.
      const shows = async (stop: number) => {
        await workbench.until(
          async () => (await pixel(0, 1))[2] === stop,
          () => `the picture of stop ${stop} is not there`,
        );
        for (const [x, y] of [
          [0, 1],
          [255, 191],
          [17, 100],
        ] as const) {
          assert.deepEqual(await pixel(x, y), [x, y, stop, 255]);
        }
      };
      const stops = requests('next').length + 1;
      await shows(stops);
      const before = asked();
      await workbench.debugButton('step-over').click();
      await shows(stops + 1);
      assert.equal(asked(), before + 1, 'one question a stop');
      await readableInEveryTheme(workbench, { name: 'screen', page: screen });
      await screen.getByRole('button', { name: 'Save as PNG' }).click();
      await window.saved('screen.png');
      const png = readFileSync(join(window.staged.workspace, 'screen.png'));
      assert.equal(png.toString('latin1', 1, 4), 'PNG');
      assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [256, 192]);
      await workbench.debugButton('continue').click();
      const seen = new Set<string>();
      await workbench.until(
        async () => seen.add(String(await pixel(5, 0))).size > 3,
        () => `the guest draws, and the page does not: ${[...seen]}`,
      );
      await screen.getByRole('status').getByText('256 × 192 pixels, the guest is running').waitFor();
      // Out of sight it asks for nothing.
      await editor('Screen').click();
      await workbench.openFile('boot.S');
      await workbench.debugButton('pause').click();
      await workbench.stoppedAt(stops + 2);
      const hidden = asked();
      await workbench.debugButton('continue').click();
      await workbench.debugButton('pause').click();
      await workbench.stoppedAt(stops + 3);
      assert.equal(asked(), hidden);
      await editor('Screen').click();
      await shows(stops + 3);
    }));
});
