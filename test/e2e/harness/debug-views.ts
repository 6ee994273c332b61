/** What a person does in VS Code's own debug views to debug source. Each waits for what it says and never for a time. */
import type { Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** A row of a tree by the name that VS Code gives it for screen readers: `total, value 6` in Variables and Watch. */
const named = (view: Locator, name: string | RegExp): Locator =>
  view.getByRole('treeitem', typeof name === 'string' ? { name, exact: true } : { name }).first();

const row = (view: Locator, name: string): Locator =>
  view.locator(`.monaco-list-row[aria-label^="${name.replaceAll('"', '\\"')}, value "]`).first();

export class DebugViews {
  constructor(private readonly ui: Workbench) {}

  /** The widget in the editor in which breakpoints get their terms; it comes by itself, or with `kind` first chosen. */
  async giveTerm(text: string, kind?: 'Expression' | 'Hit Count' | 'Log Message'): Promise<void> {
    const widget = this.ui.page.locator('.breakpoint-widget');
    await widget.locator('.monaco-editor.focused').waitFor();
    if (kind) {
      await widget.locator('select').first().selectOption(kind);
      await widget.locator('.monaco-editor.focused').waitFor();
    }
    await this.ui.page.keyboard.type(text);
    await widget.locator('.view-line').filter({ hasText: text }).waitFor();
    await this.ui.press('Enter');
    await widget.waitFor({ state: 'hidden' });
  }

  /** Waits for why the guest is said to stand, as `on breakpoint`. */
  async paused(reason: string): Promise<void> {
    const stack = await this.ui.view('Call Stack');
    await stack
      .locator('.call-stack-state-message')
      .filter({ hasText: `Paused ${reason}` })
      .waitFor();
  }

  /** Chooses the frame of a function of the call stack that begins with `top`. VS Code shows the last stop's until it has all. */
  async selectFrame(name: string, top: string): Promise<void> {
    const rows = (await this.ui.view('Call Stack')).locator('.monaco-list-row');
    await rows.first().filter({ hasText: top }).waitFor();
    await rows.filter({ hasText: 'Load More' }).waitFor({ state: 'hidden' });
    await rows.filter({ hasText: name }).first().click();
  }

  /** Waits for a value in Variables, below what `path` leads through by name. */
  async variable(path: readonly string[], name: string, value: string): Promise<Locator> {
    const variables = await this.ui.view('Variables');
    const [first, ...others] = [...path, name];
    let above = named(variables, `Scope ${first}`);
    for (const other of others) {
      const below = row(variables, other);
      await this.ui.unfold(above, below);
      above = below;
    }
    const wanted = named(variables, `${name}, value ${value}`);
    await wanted.waitFor();
    return wanted;
  }

  async setValue(variable: Locator, value: string): Promise<void> {
    await this.ui.chooseFromMenu(variable, 'Set Value');
    const input = this.ui.page.locator('.debug-variables .inputBoxContainer input');
    await input.fill(value);
    await input.press('Enter');
  }

  async removeAllBreakpoints(): Promise<void> {
    const breakpoints = await this.ui.view('Breakpoints');
    await breakpoints.hover();
    await breakpoints.getByRole('button', { name: 'Remove All Breakpoints' }).click();
    await this.ui.page.locator('.editor-instance .codicon-debug-breakpoint').waitFor({ state: 'hidden' });
  }

  async addFunctionBreakpoint(name: string): Promise<void> {
    const breakpoints = await this.ui.view('Breakpoints');
    await breakpoints.hover();
    await breakpoints.getByRole('button', { name: 'Add Function Breakpoint' }).click();
    // It comes below the exceptions, of which there are more than the view shows rows.
    await breakpoints.locator('.monaco-list').press('End');
    const input = breakpoints.locator('.inputBoxContainer input');
    await input.fill(name);
    await input.press('Enter');
    await this.ui.rowWith(breakpoints, name).waitFor();
  }

  async checkException(label: string): Promise<void> {
    const breakpoints = await this.ui.view('Breakpoints');
    await breakpoints.locator('.monaco-list').press('Home');
    await this.ui.rowWith(breakpoints, label).getByRole('checkbox').click();
  }

  async watch(expression: string): Promise<void> {
    const watch = await this.ui.view('Watch');
    await watch.hover();
    await watch.getByRole('button', { name: 'Add Expression' }).click();
    const input = watch.locator('.inputBoxContainer input');
    await input.fill(expression);
    await input.press('Enter');
  }

  async watched(expression: string, value: string): Promise<void> {
    await named(await this.ui.view('Watch'), `${expression}, value ${value}`).waitFor();
  }

  /** Types into the Debug Console. */
  async evaluate(expression: string): Promise<void> {
    await this.showConsole();
    await this.ui.page.locator('.repl-input-wrapper .monaco-editor').click();
    await this.ui.page.keyboard.type(expression);
    await this.ui.press('Enter');
  }

  async showConsole(): Promise<void> {
    await this.ui.page.locator('.part.panel .composite-bar').getByText('Debug Console', { exact: true }).click();
  }

  /** Waits for a line in the Debug Console. */
  async consoleSays(text: string): Promise<void> {
    await this.ui.page.locator('.repl .monaco-list-row').filter({ hasText: text }).first().waitFor();
  }

  /** Waits for a value that the editor shows beside the line with `source`. */
  async besideSource(source: string, value: string): Promise<void> {
    const line = this.ui.page.locator('.editor-instance .view-line').filter({ hasText: source });
    await line.filter({ hasText: value }).waitFor();
  }
}
