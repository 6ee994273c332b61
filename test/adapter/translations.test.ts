/** Messages in the user's language, as far as VS Code has a bundle for it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { coreAdapter } from './core-adapter.ts';
import { launch, withAdapter } from './driving.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-l10n-'));
after(() => rmSync(folder, { recursive: true }));

const GERMAN = { 'launch.json: "{0}" is missing. Set it to {1}.': 'launch.json: „{0}“ fehlt. Es soll {1} sein.' };

for (const [name, bundle, expected] of [
  ['a bundle translates', JSON.stringify(GERMAN), /: launch\.json: „program“ fehlt\. Es soll .* sein\.$/],
  ['a damaged one leaves English', '{', /: launch\.json: "program" is missing\. Set it to/],
] as const) {
  test(name, () => {
    const file = join(folder, 'bundle.l10n.de.json');
    writeFileSync(file, bundle);
    return withAdapter(
      () => coreAdapter({ before: ['env', `RINGSIDE_L10N=${file}`] }),
      (client) => assert.rejects(launch(client, { program: undefined }), expected),
    );
  });
}
