/** A story told in chapters, as a user has it: the installed vsix, and a folder with the sample guest. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pictured, screenshot } from './artifacts.ts';
import { Installed } from './installed.ts';
import { copySample } from './sample.ts';
import type { Workbench } from './workbench.ts';

export class Story {
  readonly #name: string;
  #failed: string | undefined;
  #temporary = '';
  #installed: Installed | undefined;

  /** To be made inside `describe`. `name` begins the names of its pictures; `furnish` adds to the folder before it is opened. */
  constructor(name: string, furnish: (folder: string) => void = () => undefined) {
    this.#name = name;
    let base: string;

    before(async () => {
      base = mkdtempSync(join(tmpdir(), 'ringside-story-'));
      this.#temporary = join(base, 'tmp');
      mkdirSync(this.#temporary);
      const folder = join(base, 'sample');
      copySample(folder);
      furnish(folder);
      this.#installed = await Installed.open(folder, {
        environment: { TMPDIR: this.#temporary },
        settings: { 'workbench.colorTheme': 'Dark Modern' },
      });
    });

    after(async () => {
      await this.#installed?.close();
      rmSync(base, { recursive: true, force: true });
    });
  }

  /** Only while chapters run. */
  get installed(): Installed {
    return this.#installed ?? assert.fail('the window is not open');
  }

  get ui(): Workbench {
    return this.installed.ui;
  }

  /** Where the extension, the adapter and the core have their temporary files. */
  get temporary(): string {
    return this.#temporary;
  }

  picture(name: string): Promise<void> {
    return screenshot(this.ui, `${this.#name}-${name}`);
  }

  /** After a failure the chapters that follow have no ground to stand on. A failure's picture is kept. */
  chapter(name: string, run: (ui: Workbench) => Promise<void>): void {
    void test(name, async () => {
      assert.equal(this.#failed, undefined, `not tried, because this failed: ${this.#failed}`);
      this.#failed = name;
      await pictured(this.ui, name.replaceAll(/[^a-z0-9]+/gi, '-'), () => run(this.ui));
      this.#failed = undefined;
    });
  }
}
