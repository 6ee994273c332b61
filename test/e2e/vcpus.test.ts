/** A guest with two vCPUs: the views are of the one that is chosen in the Call Stack, beside gdb; and one goes alone. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gdbOutput } from '../adapter/gdb-beside.ts';
import { pictured, screenshot } from './harness/artifacts.ts';
import { Installed } from './harness/installed.ts';
import { copySample, IMAGE, markedLine, writeLaunchFile } from './harness/sample.ts';
import type { Workbench } from './harness/workbench.ts';

const pass = markedLine('main.c', 'main-loop');
/** The sample's root of page tables, and one that is none. */
const BOOT_CR3 = '0x200000';
const OTHER_CR3 = '0x7000';

describe('two vCPUs of the sample guest', () => {
  let base: string;
  let folder: string;
  let installed: Installed;
  let ui: Workbench;

  const gdb = (...commands: string[]) => gdbOutput(join(folder, IMAGE), join(base, 'gdb'), commands);
  /** Two numbers that gdb prints. */
  const two = async (command: string) => {
    const text = await gdb(command);
    const [first, second, ...more] = [...text.matchAll(/^is (0x[0-9a-f]+)$/gm)].map(([, found = '']) => found);
    assert.ok(first && second && more.length === 0, text);
    return [first, second] as const;
  };
  /** A register of each vCPU. */
  const both = (name: string) => two(`thread apply 1 2 -q printf "is %#lx\\n", ${name}`);
  const places = () => both('$rip');
  /** Ticks that the first vCPU has counted, and how often the second was woken. */
  const counts = async () =>
    (await two('printf "is %#lx\\nis %#lx\\n", ticks, cpus[1].timer_interrupts')).map(Number) as [number, number];
  const vcpu = (number: number) =>
    ui
      .webview()
      .locator('.row:not(.head)')
      .filter({ hasText: `vCPU ${number}` });
  const choose = async (number: number) => {
    const stack = await ui.view('Call Stack');
    await ui.rowWith(stack, `vCPU ${number}`).click();
    await ui.collapse('Call Stack');
  };

  before(async () => {
    base = mkdtempSync(join(tmpdir(), 'ringside-vcpus-'));
    folder = join(base, 'sample');
    copySample(folder);
    writeLaunchFile(folder, { cpus: 2, gdb: `unix:${join(base, 'gdb')}` });
    installed = await Installed.open(folder);
    ui = installed.ui;
    await ui.openFile('main.c');
    await ui.goToLine(pass);
    await ui.press('F5');
    await ui.terminalSays('cpu 1: online');
    await ui.clickGutter(pass);
    await ui.stoppedAt(pass);
    await ui.showDebugSideBar();
    await ui.widenSideBar(220);
    for (const title of ['Watch', 'Variables', 'Breakpoints', 'Call Stack']) await ui.collapse(title);
  });

  after(async () => {
    await installed?.close();
    rmSync(base, { recursive: true, force: true });
  });

  test('registers and the local APIC are those of the chosen vCPU', () =>
    pictured(ui, 'vcpus-chosen', async () => {
      const [first, second] = await places();
      assert.notEqual(first, second);
      for (const [title, row, ofFirst, ofSecond] of [
        ['vCPU Registers', 'rip', first, second],
        ['Interrupts', 'Local APIC', 'id 0,', 'id 1,'],
      ] as const) {
        const view = await ui.view(title);
        const shows = async (vcpu: string, words: string) => {
          await view.locator('.pane-header').filter({ hasText: vcpu }).waitFor();
          await ui.row(view, row).filter({ hasText: words }).waitFor();
        };
        await shows('vCPU 0', ofFirst);
        await choose(1);
        await shows('vCPU 1', ofSecond);
        await screenshot(ui, `vcpus-${title.toLowerCase().replace(' ', '-')}`);
        await choose(0);
        await shows('vCPU 0', ofFirst);
        await ui.collapse(title);
      }
    }));

  test('a register is set of the chosen vCPU alone, and its page tables are shown', () =>
    pictured(ui, 'vcpus-set', async () => {
      const set = async (value: string) => {
        await ui.command('Ringside: Set Register');
        await ui.answer('cr3');
        await ui.page.locator('.quick-input-title').filter({ hasText: 'Set cr3' }).waitFor();
        await ui.answer(value);
        await ui.row(pages, 'CR3').filter({ hasText: value }).waitFor();
      };
      const pages = await ui.view('Page Tables');
      await choose(1);
      await pages.locator('.pane-header').filter({ hasText: 'vCPU 1' }).waitFor();
      await set(OTHER_CR3);
      assert.deepEqual(await both('$cr3'), [BOOT_CR3, OTHER_CR3]);
      await screenshot(ui, 'vcpus-set');
      await choose(0);
      await ui.row(pages, 'CR3').filter({ hasText: BOOT_CR3 }).waitFor();
      await choose(1);
      await set(BOOT_CR3);
      await choose(0);
      await ui.collapse('Page Tables');
    }));

  test('one goes a step alone, and runs alone until it is paused', () =>
    pictured(ui, 'vcpus-alone', async () => {
      await ui.view('vCPUs');
      const press = (name: string) => ui.webview().getByRole('button', { name, exact: true }).click();
      const at = (place: string) =>
        ui
          .webview()
          .locator('dd')
          .filter({ hasText: `(${place})` })
          .waitFor();
      const [first, second] = await places();
      await vcpu(0).click();
      await at(first);
      await press('Step Alone');
      await ui
        .webview()
        .locator('dd')
        .filter({ hasText: `(${first})` })
        .waitFor({ state: 'hidden' });
      const [next, still] = await places();
      assert.notEqual(next, first);
      assert.equal(still, second);
      await at(next);
      await vcpu(1).click();
      await at(second);
      await screenshot(ui, 'vcpus-step-alone');
      await vcpu(0).click();
      await ui.clickGutter(pass);
      const [ticks, wakes] = await counts();
      await press('Continue Alone');
      await ui.page.locator('.terminal-wrapper.active .xterm-screen').click();
      await ui.page.keyboard.type('?');
      await ui.terminalSays('list tasks');
      await press('Pause');
      await ui.webview().getByRole('button', { name: 'Step Alone', exact: true }).waitFor();
      const [ticksNow, wakesNow] = await counts();
      assert.ok(ticksNow > ticks, 'it did not run');
      assert.equal(wakesNow, wakes, 'the other has run, too');
    }));
});
