/** A kernel that draws on its framebuffer, on KVM: the Screen editor has the same pixels, and follows while it draws on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drawingKernel, drawnPixel } from '../guests/screen.ts';
import { pictured, screenshot } from './harness/artifacts.ts';
import { pixelOf, pixelsOf } from './harness/canvas.ts';
import { Installed } from './harness/installed.ts';
import { writeLaunchFile } from './harness/sample.ts';
import type { Workbench } from './harness/workbench.ts';

const [WIDTH, HEIGHT] = [320, 200];
const BLUE = 2;

describe('the screen of a guest', () => {
  let folder: string;
  let drawn: number;
  let installed: Installed;
  let ui: Workbench;

  const page = () => ui.webview(-1);
  const says = (words: string) =>
    page().getByRole('status').getByText(`${WIDTH} × ${HEIGHT} pixels, ${words}`).waitFor();

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ringside-screen-'));
    const built = drawingKernel(folder);
    drawn = built.drawn;
    writeLaunchFile(folder, { program: built.program, framebuffer: `${WIDTH}x${HEIGHT}` });
    installed = await Installed.open(folder);
    ui = installed.ui;
  });

  after(async () => {
    await installed?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('has every pixel that it drew', () =>
    pictured(ui, 'screen-drawn', async () => {
      await ui.openFile('draw.c');
      await ui.goToLine(drawn);
      await ui.clickGutter(drawn);
      await ui.press('F5');
      await ui.stoppedAt(drawn);
      await ui.command('Ringside: Show Screen');
      await page()
        .getByRole('img', { name: `Screen of the guest, ${WIDTH} × ${HEIGHT} pixels` })
        .waitFor();
      await says('the guest is stopped');
      await ui.until(
        async () => (await pixelOf(page(), WIDTH - 1, HEIGHT - 1))[0] !== 0,
        () => 'nothing is drawn',
      );
      const wanted = Array.from({ length: WIDTH * HEIGHT }, (_, at) => {
        const pixel = drawnPixel(at % WIDTH, Math.trunc(at / WIDTH));
        return [(pixel >> 16) & 0xff, (pixel >> 8) & 0xff, pixel & 0xff, 0xff];
      });
      assert.deepEqual(await pixelsOf(page(), { x: 0, y: 0, width: WIDTH, height: HEIGHT }), wanted.flat());
      await screenshot(ui, 'guest-screen');
    }));

  test('follows what it draws while it runs', () =>
    pictured(ui, 'screen-running', async () => {
      await ui.debugButton('continue').click();
      await says('the guest is running');
      await ui.until(
        async () => ((await pixelOf(page(), 0, HEIGHT - 1))[BLUE] ?? 0) >= 2,
        () => 'nothing more is drawn',
      );
      await ui.debugButton('pause').click();
      await says('the guest is stopped');
      await screenshot(ui, 'guest-screen-paused');
    }));

  test('stays when it ends', () =>
    pictured(ui, 'screen-ended', async () => {
      const [red, green] = await pixelOf(page(), 100, 50);
      assert.deepEqual([red, green], [100, 50]);
      await ui.debugButton('stop').click();
      await says('the guest has ended');
      assert.deepEqual((await pixelOf(page(), 100, 50)).slice(0, 2), [100, 50]);
    }));
});
