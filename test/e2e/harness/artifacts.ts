/** Pictures that a person looks at afterwards; they stay outside git. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Workbench } from './workbench.ts';

const folder = process.env['RINGSIDE_ARTIFACTS'] ?? join(__dirname, '../../test/artifacts');

export async function screenshot(workbench: Workbench, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await workbench.page.screenshot({ path: join(folder, `${name}.png`) });
}

/** Runs a step; when it fails, its picture is kept. */
export async function pictured<Result>(
  workbench: Workbench,
  name: string,
  step: () => Promise<Result>,
): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    await screenshot(workbench, `failed-${name}`);
    throw error;
  }
}
