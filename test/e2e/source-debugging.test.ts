/** Debugging C by what VS Code's own window has for it, with the real adapter and the sample guest on KVM. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { DebugViews } from './harness/debug-views.ts';
import { Disassembly } from './harness/disassembly.ts';
import { markedLine } from './harness/sample.ts';
import { Story } from './harness/story.ts';
import { readableInEveryTheme } from './harness/themes.ts';

const line = (marker: string) => markedLine('showcase.c', marker);
const loop = line('showcase-loop');

describe('debugging C by the window', () => {
  const story = new Story('source');
  const views = () => new DebugViews(story.ui);

  story.chapter('a condition that is given in the gutter stops where it holds', async (ui) => {
    await ui.openFile('showcase.c');
    await ui.goToLine(loop);
    await ui.chooseFromGutter(loop, 'Add Conditional Breakpoint');
    await views().giveTerm('index == 1');
    await ui.press('F5');
    await ui.stoppedAt(loop);
    await ui.showDebugSideBar();
    await ui.widenSideBar(220);
    await views().paused('on breakpoint');
    await views().variable(['Locals'], 'index', '1');
    await views().variable(['Arguments'], 'pass', '0');
    await story.picture('condition');
  });

  story.chapter('values stand beside the source', async () => {
    await views().besideSource('int total = 0;', 'total = 1241');
    await views().besideSource('unsigned index = 0;', 'index = 1');
    await views().besideSource('#MARKER showcase-loop', 'total = 1241, rectangle = 0xffffffff8');
  });

  story.chapter('a hover follows pointers', async (ui) => {
    await ui.hoverWord('size', loop - 1);
    await ui.page.locator('.debug-hover-widget').filter({ hasText: '{x = 71, y = 80}' }).waitFor();
    await story.picture('hover');
    await ui.press('Escape');
  });

  story.chapter('Watch shows expressions, and what is wrong with one', async () => {
    await views().watch('total');
    await views().watched('total', '1241');
    await views().watch('((struct tree *)showcase.opaque)->left->key');
    await views().watched('((struct tree *)showcase.opaque)->left->key', '2');
    await views().watch('nonsense + 1');
    await views().watched('nonsense + 1', 'No symbol "nonsense" in current context.');
  });

  // The loop adds what `add` makes of an area, which `clamp` keeps below 5000, and of the corner, which was at -5.
  story.chapter('a value set in Variables is what the guest goes on with', async (ui) => {
    const x = await views().variable(['Locals', 'rectangle', 'corner'], 'x', '-5');
    await views().setValue(x, '500 * 2');
    await views().variable(['Locals', 'rectangle', 'corner'], 'x', '1000');
    await views().variable(['Locals', 'rectangle'], 'corner', '{x = 1000, y = -6}');
    await story.picture('set-value');
    await views().evaluate('rectangle->corner.y = 7 * 11');
    await views().consoleSays('77');
    await views().variable(['Locals', 'rectangle'], 'corner', '{x = 1000, y = 77}');
    // The Debug Console keeps the focus.
    await ui.page.keyboard.type('rectangle->corner.y + 1');
    await ui.press('Enter');
    await views().consoleSays('78');
    await story.picture('assignment');
    await ui.debugButton('step-over').click();
    await views().watched('total', `${1241 + 5000 + 1000}`);
    await views().besideSource('int total = 0;', 'total = 7241');
    await story.picture('stepped');
  });

  // The sums that `tree_sum` comes to, of the leaves first. The guest goes through all of them to the next breakpoint.
  story.chapter('a log message is printed, and the guest goes on', async (ui) => {
    const sum = line('tree-sum');
    await ui.goToLine(sum);
    await ui.chooseFromGutter(sum, 'Add Logpoint');
    await views().giveTerm('key {node->key} over {below}');
    await ui.debugButton('continue').click();
    await ui.stoppedAt(loop);
    await views().variable(['Arguments'], 'pass', '1');
    await views().showConsole();
    for (const text of ['1 over 0', '2 over 4', '3 over 0', '4 over 24', '5 over 0', '6 over 12', '7 over 0'])
      await views().consoleSays(`key ${text}`);
    await story.picture('log-message');
  });

  story.chapter('a hit count lets the guest pass so many times', async (ui) => {
    await ui.goToLine(loop);
    await ui.chooseFromGutter(loop, 'Disable Breakpoint');
    const record = line('record-event');
    await ui.goToLine(record);
    await ui.chooseFromGutter(record, 'Add Conditional Breakpoint');
    await views().giveTerm('2', 'Hit Count');
    await ui.debugButton('continue').click();
    await ui.stoppedAt(record);
    await views().selectFrame('showcase_visit', 'record_event');
    await views().variable(['Arguments'], 'pass', '2');
    await views().selectFrame('record_event', 'record_event');
    await story.picture('hit-count');
  });

  story.chapter('a variable is watched for changes', async (ui) => {
    const recorded = await views().variable(['Locals'], 'recorded', '2');
    await ui.chooseFromMenu(recorded, 'Break on Value Change');
    await ui.debugButton('continue').click();
    await views().paused('after a change of recorded');
    await views().variable(['Locals'], 'recorded', '3');
    await ui.stoppedAt(line('record-event'));
    await readableInEveryTheme(ui, { name: 'source-data-breakpoint' });
  });

  const visit = line('showcase-visit');

  story.chapter('the guest runs to the cursor, and jumps to it', async (ui) => {
    await views().removeAllBreakpoints();
    await ui.goToLine(visit);
    await ui.command('Run to Cursor');
    await ui.stoppedAt(visit);
    await ui.goToLine(loop + 2);
    await ui.command('Jump to Cursor');
    await ui.stoppedAt(loop + 2);
    await views().paused('after a jump');
    await story.picture('jump');
  });

  story.chapter('steps in the disassembly view are by instruction', async (ui) => {
    await ui.command('Open Disassembly View');
    const disassembly = new Disassembly(ui);
    // The line begins with a call, over which a step passes.
    const [, ...following] = await disassembly.instructions(5);
    assert.ok(following.some((instruction) => /call .*<tree_sum>/.test(instruction)));
    for (const instruction of following) {
      await ui.debugButton('step-over').click();
      await disassembly.standsAt(instruction);
    }
    await story.picture('disassembly');
  });

  story.chapter('a click beside an instruction stops there', async (ui) => {
    const disassembly = new Disassembly(ui);
    const [, , , third = ''] = await disassembly.instructions(4);
    await disassembly.clickGutter(third);
    await ui.debugButton('continue').click();
    await disassembly.standsAt(third);
    await views().paused('on instruction breakpoint');
    await story.picture('instruction-breakpoint');
    await ui.command('View: Close Editor');
  });

  story.chapter('a function breakpoint stops in the function', async (ui) => {
    await views().removeAllBreakpoints();
    await views().addFunctionBreakpoint('tree_sum');
    await ui.debugButton('continue').click();
    await views().paused('on function breakpoint');
    await views().variable(['Arguments'], 'depth', '0');
    await ui.stoppedAt(line('tree-leaf') - 1);
    await story.picture('function-breakpoint');
    await views().removeAllBreakpoints();
  });

  story.chapter('a checkbox stops at an exception, before the guest handles it', async (ui) => {
    await views().checkException('#BP breakpoint');
    await ui.debugButton('continue').click();
    await ui.typeIntoTerminal('b');
    await views().paused('on an exception');
    await ui.page.locator('.exception-widget').filter({ hasText: 'The guest takes #BP' }).waitFor();
    await story.picture('exception');
    await views().selectFrame('own_breakpoint', 'breakpoint_trap');
    // The frame of #BP points behind its instruction, which is all of its line.
    await ui.cursorAt('commands.c', markedLine('commands.c', 'own-breakpoint') + 1);
    await ui.debugButton('continue').click();
    await ui.terminalSays('after the breakpoint');
  });
});
