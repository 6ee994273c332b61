/** What users read can be translated: the manifest's texts by package.nls.json, messages by l10n bundles. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const root = join(__dirname, '../..');
const json = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));

const TEXTS = new Set([
  'title',
  'shortTitle',
  'description',
  'markdownDescription',
  'label',
  'contents',
  'category',
  'errorMessage',
  'patternErrorMessage',
]);
/** The name of the product is the same in every language. */
const PRODUCT = 'Ringside';

/** The texts of a part of the manifest, with the way to each. */
function* texts(part: unknown, way = ''): Generator<readonly [string, string]> {
  if (typeof part !== 'object' || part === null) return;
  for (const [key, value] of Object.entries(part)) {
    const here = `${way}.${key}`;
    if (typeof value === 'string' && (TEXTS.has(key) || /^\.views\..*name$/.test(here))) yield [here, value];
    else if (key === 'enumDescriptions') for (const text of value) yield [here, text];
    else yield* texts(value, here);
  }
}

describe('texts', () => {
  test('of package.json are keys of package.nls.json, which has no others', () => {
    const manifest = json('package.json');
    const known = json('package.nls.json');
    const used = new Set<string>();
    for (const [way, text] of [...texts(manifest.contributes), ...texts(manifest.capabilities)]) {
      if (text === PRODUCT) continue;
      const key = /^%(.*)%$/.exec(text)?.[1];
      assert.ok(key !== undefined && key in known, `${way}: ${text}`);
      used.add(key);
    }
    used.add(manifest.description.slice(1, -1));
    assert.deepEqual(
      Object.keys(known).filter((key) => !used.has(key)),
      [],
    );
  });

  test('of dialogs and of the adapter’s errors are looked up', () => {
    const literal =
      /(show(Information|Warning|Error)Message\(\s*|\b(title|prompt|placeHolder): |\b(shown|quiet)\(\d+, )['"]/;
    const sources = ['extension', 'debug-adapter/session'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    );
    const found = sources.filter(
      (file) =>
        /\.ts$/.test(file) && !/novsc|\.test\./.test(file) && literal.test(readFileSync(join(root, file), 'utf8')),
    );
    assert.deepEqual(found, []);
  });
});
