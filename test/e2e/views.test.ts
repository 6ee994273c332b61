/** The views against an adapter with canned state: what is asked for and when, what is marked, what stays at the end. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pictured, screenshot } from './harness/artifacts.ts';
import { kernelHeader, root } from './harness/staged-extension.ts';
import { openStagedWindow, type StagedWindow } from './harness/staged-window.ts';
import { readableInEveryTheme } from './harness/themes.ts';
import type { Workbench } from './harness/workbench.ts';

describe('views', () => {
  let window: StagedWindow;
  let workbench: Workbench;

  const requests = (command: string) => window.requests(command);

  before(async () => {
    window = await openStagedWindow({ 'files.simpleDialog.enable': true });
    workbench = window.workbench;
  });

  after(() => window?.close('views-last'));

  test('F5 with no launch.json boots the only kernel of the folder', () =>
    pictured(workbench, 'views-F5', async () => {
      await window.debug();
      const [launch] = requests('launch');
      assert.match(JSON.stringify(launch?.arguments), /"program":"[^"]*\/kernel\.elf"/);
    }));

  test('hidden views ask for nothing; each visible one is filled', async () => {
    assert.deepEqual(requests('ringside/snapshot'), []);
    await workbench.showDebugSideBar();
    await workbench.widenSideBar(200);
    for (const title of ['Watch', 'Variables', 'Breakpoints']) await workbench.collapse(title);
    const registers = await workbench.view('vCPU Registers');
    await workbench.row(registers, 'rip').waitFor();
    const pages = await workbench.view('Page Tables');
    await workbench.row(pages, 'CR3').waitFor();
    const asked = requests('ringside/snapshot').flatMap((request) => request.arguments?.parts ?? []);
    assert.deepEqual(asked, ['registers', 'pageTables']);
  });

  test('a step brings what all visible views show, without a request, and marks what changed', async () => {
    assert.deepEqual(requests('ringside/follow').at(-1)?.arguments, { parts: ['pageTables', 'registers'], pages: {} });
    const before = requests('ringside/snapshot').length;
    await workbench.debugButton('step-over').click();
    await workbench.stoppedAt(2);
    const registers = await workbench.view('vCPU Registers');
    await registers.locator('.monaco-list-row[aria-label*="rax 0x2, changed"]').waitFor();
    assert.equal(requests('ringside/snapshot').length, before);
    assert.equal(await registers.locator('.monaco-list-row[aria-label*="rbx"][aria-label*="changed"]').count(), 0);
  });

  test('rows that are folded away are counted where they changed, and are of this stop when they are unfolded', async () => {
    const registers = await workbench.view('vCPU Registers');
    const general = workbench.row(registers, 'General');
    const counted = general.filter({ hasText: /\d changed/ });
    const rax = (value: string) => registers.locator(`.monaco-list-row[aria-label*="rax ${value}"]`);
    assert.equal(await counted.count(), 0);
    await general.click();
    await counted.waitFor();
    await rax('0x2').waitFor({ state: 'detached' });
    await workbench.debugButton('step-over').click();
    await workbench.stoppedAt(3);
    await workbench.unfold(general, rax('0x3, changed'));
    await counted.waitFor({ state: 'detached' });
    assert.equal(await rax('0x2').count(), 0);
  });

  test('page tables are read as they are expanded', async () => {
    const pages = await workbench.view('Page Tables');
    assert.equal(requests('ringside/pageTable').length, 0);
    await workbench.row(pages, 'PML4E[511]').click();
    await workbench.row(pages, 'PDPTE[1]').waitFor();
    assert.equal(requests('ringside/pageTable').length, 1);
  });

  test('another root of page tables is looked at, and the vCPU’s own again', async () => {
    const pages = await workbench.view('Page Tables');
    const own = requests('ringside/snapshot').length;
    await workbench.command('Ringside: Look at Another CR3');
    await workbench.answer('0x5000');
    await workbench.row(pages, 'CR3').filter({ hasText: '0x5000' }).waitFor();
    await workbench.command('Ringside: Look at Another CR3');
    await workbench.answer('', '0x5000');
    await workbench.row(pages, 'CR3').filter({ hasNotText: '0x5000' }).waitFor();
    const looked = requests('ringside/snapshot').slice(own);
    assert.deepEqual(
      looked.map(({ arguments: args }) => args?.pages?.cr3),
      ['0x5000', undefined],
    );
  });

  test('a walk shows its steps', async () => {
    await workbench.command('Ringside: Walk Page Tables of an Address');
    await workbench.answer('$rip');
    const pages = await workbench.view('Page Tables');
    await workbench.row(pages, 'Walk of $rip = 0xffffffff80001000').waitFor();
    await workbench.row(pages, 'mapped').waitFor();
  });

  test('a value is copied', async () => {
    const registers = await workbench.view('vCPU Registers');
    await workbench.chooseFromMenu(workbench.row(registers, 'rip'), 'Copy Value');
    await workbench.command('Ringside: Go to Code at Address');
    await workbench.pasted(/^0xffffffff8000100[0-9a-f]$/);
  });

  test('a register is set in place', async () => {
    const registers = await workbench.view('vCPU Registers');
    const row = workbench.row(registers, 'rax');
    await row.hover();
    await row.locator('.action-label.codicon-edit').click();
    await workbench.answer('0x1234');
    await registers.locator('.monaco-list-row[aria-label*="rax 0x1234, changed"]').waitFor();
  });

  test('a register is pinned to the top, and numbers are shown in another way', async () => {
    const registers = await workbench.view('vCPU Registers');
    const row = workbench.row(registers, 'rbx');
    await row.hover();
    await row.locator('.action-label.codicon-pin').click();
    await workbench.row(registers, 'Pinned').waitFor();
    await workbench.command('Ringside: Choose Number Format of Registers');
    await workbench.answer('Binary');
    await registers.locator('.monaco-list-row[aria-label*="rax 0b1_0010_0011_0100"]').waitFor();
    await screenshot(workbench, 'registers');
    await workbench.command('Ringside: Choose Number Format of Registers');
    await workbench.answer('Hexadecimal');
    await registers.locator('.monaco-list-row[aria-label*="rax 0x1234"]').waitFor();
    const pinned = workbench.row(registers, 'rbx');
    await pinned.hover();
    await pinned.locator('.action-label.codicon-pinned').click();
    await workbench.row(registers, 'Pinned').waitFor({ state: 'detached' });
  });

  test('the guest is asked to stop before it writes a control register, and no more', async () => {
    const registers = await workbench.view('vCPU Registers');
    // Rows that are not in sight do not exist.
    await workbench.row(registers, 'General').click();
    await workbench.unfold(workbench.row(registers, 'Control'), workbench.row(registers, 'cr3'));
    const asked = registers.locator('.monaco-list-row[aria-label*="cr3"][aria-label*="stops before it is written"]');
    await workbench.chooseFromMenu(workbench.row(registers, 'cr3'), 'Stop Before It Is Written');
    await asked.waitFor();
    await screenshot(workbench, 'stop-before-write');
    await workbench.chooseFromMenu(workbench.row(registers, 'cr3'), 'Stop No More');
    await asked.waitFor({ state: 'detached' });
    await workbench.row(registers, 'Control').click();
    await workbench.unfold(workbench.row(registers, 'General'), workbench.row(registers, 'rax'));
  });

  test('registers are those of the selected frame, for which nothing else is asked', async () => {
    const before = requests('ringside/snapshot').length;
    const calls = await workbench.view('Call Stack');
    const registers = await workbench.view('vCPU Registers');
    await calls.locator('.monaco-list-row[aria-label*="Frame start"]').click();
    await registers.locator('.monaco-list-row[aria-label*="start+0x20"]').waitFor();
    await registers.locator('.monaco-list-row[aria-label*="rax not saved"]').waitFor();
    assert.deepEqual(
      requests('ringside/snapshot')
        .slice(before)
        .map(({ arguments: args }) => [args?.parts, args?.frameId]),
      [[['registers'], 2]],
    );
    await screenshot(workbench, 'registers-frame');
    await calls.locator('.monaco-list-row[aria-label*="Frame kernel_main"]').click();
    await registers.locator('.monaco-list-row[aria-label*="rax 0x1234"]').waitFor();
    assert.equal(await registers.locator('.monaco-list-row[aria-label*="changed"]').count(), 0);
  });

  test('interrupts and the memory map are filled', async () => {
    for (const title of ['vCPU Registers', 'Page Tables', 'Call Stack']) await workbench.collapse(title);
    const interrupts = await workbench.view('Interrupts');
    await interrupts.locator('.monaco-list-row[aria-label*="IRR 0x20 timer_entry"]').waitFor();
    const map = await workbench.view('Memory Map');
    await workbench.row(map, 'kernel.elf').waitFor();
  });

  test('the log of interrupts and the messages of devices are readable in every theme', () =>
    pictured(workbench, 'interrupts', async () => {
      await workbench.collapse('Memory Map');
      const interrupts = await workbench.view('Interrupts');
      const row = (text: string) => workbench.row(interrupts, text);
      // Folded, so that all that is below them is in sight.
      for (const title of ['Local APIC', 'Pending']) await row(title).click();
      for (const [title, below] of [
        ['Rates', '4,800 injected by KVM'],
        ['Log', 'COM1 line 4, masked'],
        ['MSI', 'the last one lost'],
        ['virtio-blk 1', 'taken by no local APIC'],
      ] as const) {
        await workbench.unfold(row(title), workbench.rowWith(interrupts, below));
      }
      await readableInEveryTheme(workbench, { name: 'interrupts' });
    }));

  test('a Linux guest’s interrupts and timers are read when they are unfolded', () =>
    pictured(workbench, 'linux-interrupts', async () => {
      const interrupts = await workbench.view('Interrupts');
      for (const title of ['MSI', 'Rates', 'Log']) await workbench.row(interrupts, title).click();
      assert.equal(requests('ringside/linuxIrqs').length, 0);
      for (const [title, below] of [
        ['Linux interrupts', 'serial8250_interrupt'],
        ['Linux timers', 'monotonic 12.345678 s'],
      ] as const) {
        await workbench.unfold(workbench.row(interrupts, title), workbench.rowWith(interrupts, below));
      }
      assert.equal(requests('ringside/linuxIrqs').length, 1);
    }));

  test('an interrupt is injected by hand', async () => {
    await workbench.command('Ringside: Inject Interrupt');
    await workbench.answer('0x31');
    await workbench.until(
      () => requests('ringside/inject').length > 0,
      () => 'nothing was injected',
    );
    assert.deepEqual(requests('ringside/inject')[0]?.arguments, { threadId: 1, vector: 0x31 });
  });

  test('hypercalls flow while the guest runs, and only while the view is visible', () =>
    pictured(workbench, 'hypercalls', async () => {
      await workbench.collapse('Interrupts');
      assert.equal(requests('ringside/hypercalls').length, 0);
      await workbench.view('Hypercalls');
      const table = workbench.webview();
      await table
        .locator('.count')
        .filter({ hasText: /^40 calls$/ })
        .waitFor();
      const wanted = () => requests('ringside/recordCalls').map(({ arguments: how }) => how?.on);
      assert.deepEqual(wanted(), [true]);
      assert.equal(requests('ringside/hypercalls').length, 0, 'a stop has one request');
      await workbench.debugButton('continue').click();
      await table
        .locator('.count')
        .filter({ hasText: /^(?!40 )[0-9]+ calls, .* a second/ })
        .waitFor();
      await table.getByRole('searchbox').fill('sched_op');
      await table
        .locator('.count')
        .filter({ hasText: /^[0-9]+ rows of [0-9]+ calls/ })
        .waitFor();
      assert.equal(await table.locator('.row:not(.head) .call').first().textContent(), 'sched_op');
      await table.locator('.row:not(.head)').first().click();
      await table
        .getByRole('region', { name: 'Details of the chosen row of Hypercalls' })
        .getByText('say_hello+0x34')
        .waitFor();
      const stopsOn = () => requests('ringside/stopOn').at(-1)?.arguments?.stops;
      await table.getByRole('button', { name: 'Stop on This' }).click();
      await table.getByRole('button', { name: 'Stop No More' }).waitFor();
      assert.deepEqual(stopsOn(), ['hypercall xen 0x13']);
      await table.getByRole('button', { name: 'Go to Code' }).click();
      await workbench.cursorAt('kernel.c', 30);
      await table.getByRole('button', { name: 'CSV' }).click();
      const [, ...lines] = (await window.saved('hypercalls.csv')).trimEnd().split('\r\n');
      assert.ok(lines.length > 1 && lines.every((line) => line.includes('sched_op')), lines.join('\n'));
      await table.getByRole('tab', { name: 'By Call' }).click();
      await table.locator('.row:not(.head)').filter({ hasText: 'sched_op' }).click();
      await table.getByRole('button', { name: 'Stop No More' }).click();
      await table.getByRole('button', { name: 'Stop on This' }).waitFor();
      assert.deepEqual(stopsOn(), []);
      await table.getByRole('tab', { name: 'Calls', exact: true }).click();
      await readableInEveryTheme(workbench, { name: 'hypercalls', page: table });
      await workbench.collapse('Hypercalls');
      await table.locator('.count').waitFor({ state: 'hidden' });
      await workbench.debugButton('pause').click();
      await workbench.stoppedAt(4);
      assert.deepEqual(wanted(), [true, false]);
      const asked = requests('ringside/hypercalls').length;
      await workbench.debugButton('continue').click();
      await workbench.debugButton('pause').click();
      await workbench.stoppedAt(5);
      assert.equal(requests('ringside/hypercalls').length, asked, 'a hidden view asks nothing');
    }));

  test('exits are counted and timed while the guest runs, traced and stopped on when asked', () =>
    pictured(workbench, 'exits', async () => {
      assert.equal(requests('ringside/exits').length, 0, 'a hidden view asks nothing');
      await workbench.view('Exits and I/O');
      const page = workbench.webview();
      const tab = (name: string) => page.getByRole('tab', { name }).click();
      const row = (text: string) => page.locator('.row:not(.head)').filter({ hasText: text }).first();
      await row('port write').waitFor();
      assert.equal(requests('ringside/exits').length, 0, 'a stop has one request');
      await workbench.debugButton('continue').click();
      const timeline = page.getByRole('img', { name: /^Exits a second over/ });
      await timeline.waitFor();
      const wide = workbench.page.viewportSize() ?? assert.fail();
      await workbench.page.setViewportSize({ ...wide, height: 500 });
      await timeline.waitFor({ state: 'hidden' });
      const inSight = await page
        .locator('.row:not(.head)')
        .evaluateAll((rows) => rows.filter((each) => each.getBoundingClientRect().bottom <= innerHeight).length);
      assert.ok(inSight >= 2, 'as low as a view can be, rows come before the picture');
      await workbench.page.setViewportSize(wide);
      await timeline.waitFor();
      await tab('Ports and Memory');
      await row('COM1 THR').click();
      await page.getByRole('button', { name: 'Stop on This' }).click();
      await page.getByRole('button', { name: 'Stop No More' }).waitFor();
      assert.deepEqual(requests('ringside/stopOn').at(-1)?.arguments?.stops, ['port 0x3f8 write']);
      await tab('Code');
      await row('serial_put+0x20').waitFor();
      await tab('Trace');
      assert.equal(requests('ringside/exitTrace').length, 0, 'what nobody asked for is not written down');
      await page.getByRole('button', { name: 'Trace', exact: true }).click();
      await row('COM1 LSR').click();
      await page
        .getByRole('region', { name: 'Details of the chosen row of Trace of exits' })
        .getByText('1 byte')
        .waitFor();
      await tab('Stops');
      await row('port 0x3f8 write').click();
      await page.getByRole('button', { name: 'Remove' }).click();
      await page.getByText('The guest stops at breakpoints only.').waitFor();
      assert.deepEqual(requests('ringside/stopOn').at(-1)?.arguments?.stops, []);
      await workbench.debugButton('pause').click();
      await workbench.stoppedAt(6);
      await readableInEveryTheme(workbench, {
        ...{ name: 'exits', page },
        looks: [
          { name: 'reasons', show: () => tab('Reasons') },
          { name: 'ports', show: () => tab('Ports and Memory') },
          { name: 'trace', show: () => tab('Trace') },
        ],
      });
      await workbench.collapse('Exits and I/O');
    }));

  test('each vCPU says what it does, and goes alone when asked', () =>
    pictured(workbench, 'vcpus', async () => {
      await workbench.view('vCPUs');
      const page = workbench.webview();
      await page.locator('.row:not(.head)').filter({ hasText: 'cpu_idle+0x8' }).click();
      await page.getByRole('button', { name: 'Step Alone' }).click();
      await workbench.stoppedAt(7);
      assert.deepEqual(requests('ringside/runAlone').at(-1)?.arguments, { threadId: 2, how: 'step' });
      await readableInEveryTheme(workbench, { name: 'vcpus', page });
      await page.getByRole('button', { name: 'Continue Alone' }).click();
      await page.locator('.row:not(.head)').filter({ hasText: 'in the guest' }).waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      await workbench.stoppedAt(8);
      await workbench.collapse('vCPUs');
    }));

  test('a breakpoint is set for one task, and bound to another', () =>
    pictured(workbench, 'tasks', async () => {
      const tasks = await workbench.view('Tasks');
      const bind = async (task: string, text: string, name: string) => {
        await workbench.chooseFromMenu(workbench.row(tasks, task), 'Set Breakpoint for This Task');
        await workbench.type(text);
        await workbench.choose(name);
      };
      const set = () => requests('setFunctionBreakpoints').at(-1)?.arguments?.breakpoints;
      const isSet = (condition: string) =>
        workbench.until(
          () => set()?.[0]?.condition === condition,
          () => JSON.stringify(set()),
        );
      await bind('init', 'do_e', 'do_exit');
      await isSet('$pid == 1');
      await bind('init-worker', '', 'do_exit');
      await isSet('$pid == 7');
      assert.deepEqual(
        set()?.map(({ name }) => name),
        ['do_exit'],
      );
      await workbench.view('Breakpoints');
      await workbench.unfold(workbench.row(tasks, 'init-worker'), workbench.row(tasks, '__schedule'));
      await readableInEveryTheme(workbench, { name: 'tasks' });
      for (const title of ['Tasks', 'Breakpoints']) await workbench.collapse(title);
    }));

  test('what is at an address is said', () =>
    pictured(workbench, 'what-is', async () => {
      await workbench.command('Ringside: What Is at This Address?');
      await workbench.answer('current->comm');
      // Chosen, it goes away.
      await workbench.choose('slab object task_struct+0x274');
      assert.equal(requests('ringside/whatIs').at(-1)?.arguments?.address, 'current->comm');
    }));

  test('the serial terminal works both ways', async () => {
    await workbench.terminalSays('fake guest ready');
    await workbench.page.locator('.terminal-wrapper.active .xterm-screen').click();
    await workbench.page.keyboard.type('hi');
    await workbench.terminalSays('hi');
    const typed = requests('ringside/consoleInput').map((request) => request.arguments?.data ?? '');
    assert.equal(typed.map((data) => Buffer.from(data, 'base64').toString()).join(''), 'hi');
  });

  test('after the end the last state stays, and the terminal says how it ended', async () => {
    const registers = await workbench.view('vCPU Registers');
    await workbench.row(registers, 'rip').waitFor();
    await workbench.debugButton('stop').click();
    await registers.locator('.message').getByText('The guest was ended by the debugger.').waitFor();
    await workbench.row(registers, 'rip').waitFor();
    await workbench.terminalSays('The guest was ended by the debugger.');
    await screenshot(workbench, 'views-ended');
  });

  test('F5 in a folder in which Linux was built boots it to a shell', () =>
    pictured(workbench, 'views-linux', async () => {
      const { workspace } = window.staged;
      const image = join(workspace, 'arch/x86/boot/bzImage');
      mkdirSync(dirname(image), { recursive: true });
      // Beside them are other files that look like kernels, as kernel.elf does.
      for (const file of [image, join(workspace, 'vmlinux')]) writeFileSync(file, kernelHeader());
      await workbench.openFile('kernel.c');
      const before = requests('launch').length;
      await workbench.press('F5');
      await workbench.until(
        () => requests('launch').length > before,
        () => 'nothing was launched',
      );
      const { program, symbols, args, initrd, memory } = requests('launch').at(-1)?.arguments ?? {};
      assert.deepEqual(
        { program, symbols, args, initrd, memory },
        {
          ...{ program: image, symbols: join(workspace, 'vmlinux'), args: 'console=ttyS0 nokaslr' },
          ...{ initrd: 'busybox', memory: '512M' },
        },
      );
      await workbench.page.locator('.terminal-tabs-entry').filter({ hasText: 'Boot Linux' }).waitFor();
      await screenshot(workbench, 'views-linux');
      await workbench.debugButton('stop').click();
      await workbench.terminalSays('The guest was ended by the debugger.');
    }));

  test('the walkthrough has its steps, and leads to a view', () =>
    pictured(workbench, 'walkthrough', async () => {
      const texts: Record<string, string> = JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8'));
      await workbench.command('Welcome: Open Walkthrough...');
      await workbench.type('Look into a Kernel');
      await workbench.choose('Look into a Kernel with Ringside');
      const page = workbench.page.locator('.gettingStartedContainer');
      const titles = Object.keys(texts).filter((key) => /^walkthrough\.start\.[\w-]+\.title$/.test(key));
      assert.ok(titles.length > 8);
      for (const key of titles)
        await page
          .locator('.step-title')
          .getByText(texts[key] ?? '', { exact: true })
          .waitFor();
      await workbench.collapse('vCPU Registers');
      await page.locator('.step-title').getByText('Registers with their bits').click();
      await page.getByRole('button', { name: 'Open the View' }).filter({ visible: true }).click();
      const registers = await workbench.view('vCPU Registers');
      await workbench.row(registers, 'rip').waitFor();
    }));

  test('Check Host shows the report of doctor', async () => {
    await workbench.command('Ringside: Check Host');
    await workbench.page
      .locator('.editor-instance .view-line')
      .filter({ hasText: /fake.host.report/ })
      .waitFor();
  });
});
