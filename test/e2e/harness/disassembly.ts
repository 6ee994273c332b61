/** VS Code's disassembly view. */
import assert from 'node:assert/strict';
import type { Locator } from 'playwright-core';
import type { Workbench } from './workbench.ts';

export class Disassembly {
  readonly #view: Locator;

  constructor(ui: Workbench) {
    this.#view = ui.page.locator('.disassembly-view');
  }

  /** The instruction at which the guest stands and those after it, `count` in all, as the view shows them. */
  async instructions(count: number): Promise<string[]> {
    await this.#standing.waitFor();
    const rows = await this.#view.locator('.monaco-list-row').evaluateAll((elements) =>
      elements.map((row) => ({
        stands: row.querySelector('.codicon-debug-stackframe') !== null,
        text: row.querySelector('.instruction')?.textContent ?? '',
      })),
    );
    const first = rows.findIndex(({ stands }) => stands);
    const texts = rows.slice(first, first + count).map(({ text }) => text);
    assert.equal(texts.length, count, 'instructions in sight');
    return texts;
  }

  async standsAt(instruction: string): Promise<void> {
    await this.#standing.filter({ hasText: instruction }).waitFor();
  }

  /** Sets a breakpoint, or takes it away. */
  async clickGutter(instruction: string): Promise<void> {
    const gutter = this.#row.filter({ hasText: instruction }).locator('.monaco-table-td').first();
    await gutter.click();
    await gutter.locator('.codicon-debug-breakpoint').waitFor();
  }

  get #row(): Locator {
    return this.#view.locator('.monaco-list-row');
  }

  get #standing(): Locator {
    return this.#row.filter({ has: this.#view.page().locator('.codicon-debug-stackframe') });
  }
}
