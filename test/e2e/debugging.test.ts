/**
 * The main story, as a user has it: the installed vsix, the sample guest, F5. The guest runs on KVM, where there is nothing
 * but the folder, or under QEMU, which launch.json asks for (RINGSIDE_BACKEND).
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { runningFrom } from './harness/processes.ts';
import { imageBytes, markedLine, symbolAddress, writeLaunchFile } from './harness/sample.ts';
import { Story } from './harness/story.ts';
import { readableInEveryTheme } from './harness/themes.ts';

const views = ['vCPU Registers', 'Page Tables', 'Interrupts', 'Hypercalls', 'Memory Map'];
const visit = markedLine('showcase.c', 'showcase-visit');
const KERNEL_BASE = 0xffffffff80000000n;

const backend = process.env['RINGSIDE_BACKEND'] ?? 'kvm';

describe(`debugging the sample guest on ${backend}`, () => {
  const story = new Story(`story-${backend}`, (folder) => {
    if (backend !== 'kvm') writeLaunchFile(folder, { backend });
  });
  const picture = (name: string) => story.picture(name);

  story.chapter('a click in the gutter sets a breakpoint, F5 stops there', async (ui) => {
    await ui.openFile('showcase.c');
    await ui.goToLine(visit);
    await ui.clickGutter(visit);
    await ui.page.locator('.editor-instance .codicon-debug-breakpoint').waitFor();
    await ui.press('F5');
    await ui.stoppedAt(visit);
  });

  story.chapter('call stack and variables', async (ui) => {
    await ui.showDebugSideBar();
    await ui.widenSideBar(220);
    const stack = await ui.view('Call Stack');
    for (const [name, file] of [
      ['showcase_visit', 'showcase.c'],
      ['kernel_main', 'main.c'],
      ['enter_kernel', 'boot.S'],
    ] as const) {
      await stack.locator('.monaco-list-row').filter({ hasText: name }).filter({ hasText: file }).first().waitFor();
    }
    const variables = await ui.view('Variables');
    const rows = variables.locator('.monaco-list-row');
    await ui.unfold(rows.filter({ hasText: 'Arguments' }), rows.filter({ hasText: /pass\s*[:=]\s*0/ }));
  });

  story.chapter('hover shows a value', async (ui) => {
    await ui.hoverWord('pass', visit);
    await ui.page.locator('.debug-hover-widget').filter({ hasText: '0' }).waitFor();
    await ui.press('Escape');
  });

  story.chapter('a step goes to the next line', async (ui) => {
    await ui.debugButton('step-over').click();
    await ui.stoppedAt(visit + 1);
  });

  story.chapter('vCPU Registers show where the guest is', async (ui) => {
    for (const title of ['Variables', 'Watch', 'Breakpoints', 'Call Stack']) await ui.collapse(title);
    const registers = await ui.view('vCPU Registers');
    const rip = ui.row(registers, 'rip');
    await rip.filter({ hasText: 'showcase_visit+' }).waitFor();
    const shown = BigInt(/0x[0-9a-f]+/.exec((await rip.textContent()) ?? '')?.[0] ?? '0');
    const start = symbolAddress('showcase_visit');
    assert.ok(shown > start && shown < start + 0x200n, `rip is ${shown.toString(16)}`);
  });

  story.chapter('Page Tables walk to the frame that the linker script says', async (ui) => {
    await ui.collapse('vCPU Registers');
    const pages = await ui.view('Page Tables');
    await ui.row(pages, 'CR3').filter({ hasText: '4-level paging' }).waitFor();
    await ui.row(pages, 'PML4E[511]').waitFor();
    await ui.command('Ringside: Walk Page Tables of an Address');
    await ui.answer('&showcase_visit');
    const address = symbolAddress('showcase_visit');
    const walk = ui.row(pages, `Walk of &showcase_visit = 0x${address.toString(16)}`);
    await walk.filter({ hasText: `→ 0x${(address - KERNEL_BASE).toString(16)}` }).waitFor();
    await ui.row(pages, 'PML4E[511]').last().click();
    await picture('page-tables');
  });

  story.chapter('Interrupts name handlers', async (ui) => {
    await ui.collapse('Page Tables');
    const interrupts = await ui.view('Interrupts');
    await ui.row(interrupts, 'Local APIC').filter({ hasText: 'xapic' }).waitFor();
    // Folded, so that what is below it is in sight.
    await ui.row(interrupts, 'Local APIC').click();
    await ui.row(interrupts, 'I/O APIC').filter({ hasText: 'of 24 pins' }).waitFor();
    await ui.row(interrupts, 'IDT').filter({ hasText: 'entries present' }).waitFor();
    await picture('interrupts');
  });

  story.chapter('the Memory Map has RAM, chips and the loaded image', async (ui) => {
    await ui.collapse('Interrupts');
    const map = await ui.view('Memory Map');
    // QEMU's names and pieces are its own.
    const [ram, size, chip] = backend === 'qemu' ? ['pc.ram', '255 MiB', 'ioapic'] : ['RAM', '256 MiB', 'I/O APIC'];
    await map.locator('.monaco-list-row').filter({ hasText: ram }).filter({ hasText: size }).waitFor();
    await ui.row(map, chip).filter({ hasText: '0xfec00000' }).waitFor();
    await ui.row(map, 'I/O ports').waitFor();
    await picture('memory-map');
  });

  story.chapter('the disassembly view stands at the instruction', async (ui) => {
    await ui.command('Open Disassembly View');
    const view = ui.page.locator('.disassembly-view');
    await view.locator('.monaco-list-row').filter({ hasText: 'mov' }).first().waitFor();
    await view.locator('.codicon-debug-stackframe, .codicon-debug-stackframe-focused').first().waitFor();
    await picture('disassembly');
    await ui.command('View: Close Editor');
    await view.waitFor({ state: 'hidden' });
    await ui.openFile('showcase.c');
    await ui.goToLine(visit);
  });

  story.chapter('the terminal shows what the guest prints, and the guest gets what is typed', async (ui) => {
    await ui.clickGutter(visit);
    await ui.debugButton('continue').click();
    await ui.terminalSays('Ringside sample guest');
    await ui.terminalSays('ready: type ? for help');
    await ui.typeIntoTerminal('?');
    await ui.terminalSays('> ?');
    await ui.terminalSays('list tasks');
  });

  const hypercalls = {
    kvm: 'Hypercalls flow while the guest runs',
    qemu: 'Hypercalls say what QEMU does not tell',
  }[backend];
  story.chapter(hypercalls ?? assert.fail(`there is no story of ${backend}`), async (ui) => {
    await ui.collapse('Memory Map');
    await ui.view('Hypercalls');
    const table = ui.webview();
    if (backend === 'qemu') {
      await table
        .locator('.note, .message, .empty')
        .filter({ hasText: /QEMU|stub/ })
        .first()
        .waitFor();
      return;
    }
    const rows = table.locator('.row:not(.head)');
    await rows.first().waitFor();
    // Repeats are merged, so that it may begin with a number of rows.
    const summary = table.locator('.count');
    const calls = async () => {
      const [, number] =
        /([\d,]+) calls?\b/.exec((await summary.textContent()) ?? '') ?? assert.fail('no number of calls');
      return { text: `${number} call`, number: Number(number?.replaceAll(',', '')) };
    };
    const first = await calls();
    await summary.filter({ hasNotText: first.text }).waitFor();
    assert.ok((await calls()).number > first.number);
    assert.doesNotMatch((await summary.textContent()) ?? '', /lost/);
    await rows.filter({ hasText: 'sched_op' }).first().waitFor();
    await rows.filter({ hasText: 'console_io' }).first().click();
    await table.getByRole('region', { name: 'Details of the chosen row of Hypercalls' }).waitFor();
    await picture('hypercalls');
  });

  story.chapter('Exits and vCPUs say where the time of the guest goes', async (ui) => {
    await ui.collapse('Hypercalls');
    await ui.view('Exits and I/O');
    if (backend === 'qemu') await ui.webview().locator('.note').filter({ hasText: 'QEMU' }).waitFor();
    else
      await ui
        .webview()
        .getByRole('img', { name: /^Exits a second over/ })
        .waitFor();
    await picture('exits');
    await ui.collapse('Exits and I/O');
    await ui.view('vCPUs');
    const row = ui.webview().locator('.row:not(.head)').first();
    await row.filter({ hasText: 'vCPU 0' }).click();
    await picture('vcpus');
    await ui.collapse('vCPUs');
  });

  story.chapter('an exit that is chosen stops the guest when it comes again', async (ui) => {
    // QEMU tells of no exits.
    if (backend === 'qemu') return;
    await ui.view('Exits and I/O');
    const page = ui.webview();
    const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('tab', { name: 'Ports and Memory' }).click();
    await page.getByRole('searchbox').fill('COM1 write');
    await page.locator('.row:not(.head)').filter({ hasText: 'THR' }).click();
    await press('Stop on This');
    await page.getByRole('button', { name: 'Stop No More' }).waitFor();
    await ui.page.locator('.terminal-wrapper.active .xterm-screen').click();
    await ui.page.keyboard.type('l');
    await ui.debugButton('continue').waitFor();
    await picture('exits-stop');
    const stack = await ui.view('Call Stack');
    await stack.getByText('The guest wrote 0x3e to port 0x3f8 (1 byte).').first().waitFor();
    assert.equal(await ui.page.getByText('Exception has occurred').count(), 0);
    await ui.rowWith(stack, 'serial_write').filter({ hasText: 'serial.c' }).waitFor();
    await press('Stop No More');
    await page.getByRole('button', { name: 'Stop on This' }).waitFor();
    await ui.debugButton('continue').click();
    await ui.terminalSays('task 1');
    await ui.collapse('Exits and I/O');
    await ui.collapse('Call Stack');
  });

  story.chapter('pause stops the guest somewhere', async (ui) => {
    await ui.debugButton('pause').click();
    await ui.debugButton('continue').waitFor();
    const stack = await ui.view('Call Stack');
    await stack
      .locator('.monaco-list-row')
      .filter({ hasText: /\.[cS]|0x/ })
      .first()
      .waitFor();
  });

  story.chapter('Interrupts have a log of what was typed, where the hypervisor keeps one', async (ui) => {
    await ui.collapse('Call Stack');
    const interrupts = await ui.view('Interrupts');
    await ui.row(interrupts, 'IDT').waitFor();
    if (backend === 'qemu') {
      assert.equal(await ui.row(interrupts, 'Log').count(), 0);
    } else {
      const row = (text: string | RegExp) => interrupts.locator('.monaco-list-row').filter({ hasText: text }).first();
      await ui.unfold(ui.row(interrupts, 'Rates'), row('injected by KVM'));
      await ui.unfold(ui.row(interrupts, 'Log'), row('COM1 line 4, by the I/O APIC to vCPU 0'));
      await picture('interrupts-log');
    }
    await ui.collapse('Interrupts');
  });

  story.chapter('Address Space and Memory Map open as editors', async (ui) => {
    // Of QEMU's guest they are read entry by entry; test/stubs looks at that.
    if (backend === 'qemu') return;
    const page = ui.webview();
    await ui.command('Ringside: Show Address Space');
    await page.getByRole('tab', { name: 'Ranges' }).waitFor();
    await page.locator('.row:not(.head)').filter({ hasText: 'ffffffff80' }).first().click();
    await picture('address-space');
    await ui.command('View: Close Editor');
    await ui.command('Ringside: Show Memory Map');
    await page.getByRole('option', { name: 'RAM (RAM)' }).first().click();
    await picture('memory-map-picture');
  });

  story.chapter('a region of the Memory Map leads to its bytes and code, as in the file', async (ui) => {
    if (backend === 'qemu') return;
    const page = ui.webview();
    await page.getByRole('tab', { name: 'Regions' }).click();
    // What nobody writes: the code begins with the hypercall page, which the hypervisor fills.
    await page.locator('.row:not(.head)').filter({ hasText: '(r--)' }).click();
    const details = page.getByRole('region', { name: 'Details of the chosen row of Regions' });
    const [virtual = ''] = /0x[0-9a-f]{16}/.exec((await details.textContent()) ?? '') ?? [];
    const bytes = imageBytes(virtual);
    for (const [button, ending, beginning] of [
      ['Memory', 'memory', bytes.slice(0, 8)],
      ['Disassembly', 'disassembly', bytes.slice(0, 1)],
    ] as const) {
      await details.getByRole('button', { name: button, exact: true }).click();
      const line = new RegExp(`^${[virtual.slice(2), ...beginning].join('\\s+')}\\s`);
      await ui.linesOf(`${virtual}.${ending}`).filter({ hasText: line }).waitFor();
      await picture(`memory-map-${ending}`);
    }
    await ui.command('View: Close All Editors');
  });

  story.chapter('it looks right in light, dark and high contrast', async (ui) => {
    for (const title of views) await ui.view(title);
    await ui.webview().locator('.row:not(.head), .note').first().waitFor();
    await readableInEveryTheme(ui, { name: `story-${backend}-views` });
  });

  story.chapter('stop ends the guest and leaves nothing', async (ui) => {
    await ui.debugButton('stop').click();
    await ui.page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
    for (const title of views.slice(1)) await ui.collapse(title);
    const registers = await ui.view('vCPU Registers');
    await registers
      .locator('.message')
      .filter({ hasText: /ended|killed|over/i })
      .waitFor();
    // Greyed.
    await ui.row(registers, 'rip').locator('[class*="monaco-decoration-itemColor"]').first().waitFor();
    const extensions = join(story.installed.server.base, 'extensions');
    const left = () => runningFrom(extensions, /\/dist\/(ringside|core|adapter)\.js$/);
    await ui.until(
      () => left().length === 0,
      () => `still running:\n${left().join('\n')}`,
    );
    const folders = readdirSync(story.temporary).filter((name) => name.startsWith('ringside-'));
    assert.deepEqual(folders, []);
    await picture('ended');
  });
});
