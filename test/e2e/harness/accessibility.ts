/** What axe-core finds wrong with one of our pages. */
import { source } from 'axe-core';
import type { FrameLocator } from 'playwright-core';

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

/** One line a violation, with the first element that is at fault. The page is as it is at the moment. */
export async function accessibilityViolations(page: FrameLocator): Promise<string[]> {
  const body = page.locator('body');
  await body.evaluate((_, script) => {
    new Function(script)();
  }, source);
  const { violations } = await body.evaluate((element) => {
    const { axe } = window as unknown as { axe: { run(context: Element): Promise<AxeResults> } };
    return axe.run(element);
  });
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`);
}
