/** What is looked at in a light and a dark theme, and in high contrast. */
import assert from 'node:assert/strict';
import type { FrameLocator } from 'playwright-core';
import { accessibilityViolations } from './accessibility.ts';
import { screenshot } from './artifacts.ts';
import type { Workbench } from './workbench.ts';

/**
 * Name, and the classes that VS Code gives the window and the body of a webview, which gets its colours later. The last is
 * the one that the tests begin with.
 */
const themes = [
  ['Light Modern', 'vs', 'vscode-light'],
  ['Dark High Contrast', 'hc-black', 'vscode-high-contrast'],
  ['Dark Modern', 'vs-dark', 'vscode-dark'],
] as const;

interface Look {
  /** Of the picture; one of all that there is when absent. */
  readonly name?: string;
  /** Brings it into sight. */
  show?(): Promise<unknown>;
}

interface Looks {
  readonly name: string;
  /** Our page, which everybody is to be able to use; absent for what VS Code draws itself. */
  readonly page?: FrameLocator;
  readonly looks?: readonly Look[];
}

/** Takes a picture of each look in every theme, and asserts that axe finds nothing wrong with the page. */
export async function readableInEveryTheme(workbench: Workbench, { name, page, looks = [{}] }: Looks): Promise<void> {
  for (const [theme, style, webview] of themes) {
    await workbench.theme(theme, style);
    await page?.locator(`body.${webview}`).waitFor();
    for (const look of looks) {
      await look.show?.();
      await screenshot(workbench, [name, look.name, style].filter(Boolean).join('-'));
      if (page) assert.deepEqual(await accessibilityViolations(page), [], `${name} ${look.name ?? ''} in ${theme}`);
    }
  }
}
