/** How soon after `stopped` views are painted in the real VS Code, ours beside its own Variables, one view open at a time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printTable, summary } from '../bench/table.ts';
import { Installed } from './harness/installed.ts';
import { PaintTimes } from './harness/paint-times.ts';
import { copySample, markedLine, writeLaunchFile } from './harness/sample.ts';
import type { Workbench } from './harness/workbench.ts';

const STEPS = 20;
/** Milliseconds between two steps, in which VS Code comes to rest. */
const REST = 1000;

const PEER = 'Variables';
const TREES = [PEER, 'vCPU Registers', 'Interrupts'];
const PAGES = ['Exits and I/O', 'vCPUs'];

async function measure(ui: Workbench, times: PaintTimes, title: string): Promise<readonly [number[], number[]]> {
  const view = await ui.view(title);
  await ui.page.waitForTimeout(REST);
  const page = PAGES.includes(title) ? await ui.webview().locator('body').elementHandle() : undefined;
  const frame = await page?.ownerFrame();
  await view.evaluate((element) => element.setAttribute('data-bench', 'on'));
  const place = await times.lookAt(frame ?? ui.page, frame ? 'body' : '[data-bench] .pane-body');
  const [first, last]: [number[], number[]] = [[], []];
  for (let step = 0; step < STEPS; step++) {
    const painted = await place.after(async () => {
      await ui.debugButton('step-into').click();
      await ui.page.waitForTimeout(REST);
    });
    if (!painted) continue;
    first.push(painted.first);
    last.push(painted.last);
  }
  await view.evaluate((element) => element.removeAttribute('data-bench'));
  await ui.collapse(title);
  return [first, last];
}

async function main(folder: string): Promise<void> {
  const installed = await Installed.open(folder);
  const { ui } = installed;
  try {
    const times = await PaintTimes.of(ui);
    await ui.openFile('main.c');
    const line = markedLine('main.c', 'main-loop');
    await ui.goToLine(line);
    await ui.clickGutter(line);
    await ui.press('F5');
    await ui.stoppedAt(line);
    await ui.showDebugSideBar();
    for (const title of ['Watch', 'Breakpoints', 'Call Stack', PEER]) await ui.collapse(title);
    const rows = [['', 'steps that change it', 'first paint', 'last paint', 'of the time that Variables takes']];
    let peer = Number.NaN;
    for (const title of [...TREES, ...PAGES]) {
      const [first, last] = await measure(ui, times, title);
      const { median, text } = summary(first);
      if (title === PEER) peer = median;
      rows.push([title, `${first.length} of ${STEPS}`, text, summary(last).text, (median / peer).toFixed(2)]);
    }
    printTable('Views after a stop in VS Code: milliseconds, median (least to most)', rows);
  } finally {
    await installed.close();
  }
}

const folder = join(mkdtempSync(join(tmpdir(), 'ringside-paint-')), 'sample');
copySample(folder);
writeLaunchFile(folder, {});
void main(folder).finally(() => rmSync(join(folder, '..'), { recursive: true }));
