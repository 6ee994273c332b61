/** Makes the vsix as `npm run package` does, from a copy, so that the dist/ of the checkout stays as it is. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './staged-extension.ts';

const SOURCES = [
  ...['package.json', 'esbuild.mjs', 'tsconfig.json', '.vscodeignore', 'README.md', 'LICENSE', 'CHANGELOG.md'],
  ...['extension', 'debug-adapter', 'hypervisor-core', 'media', 'test/guests', 'test/setup'],
];

export interface Packaged {
  readonly vsix: string;
  remove(): void;
}

export function packageExtension(): Packaged {
  const base = mkdtempSync(join(tmpdir(), 'ringside-package-'));
  const copy = join(base, 'checkout');
  for (const source of SOURCES) cpSync(join(root, source), join(copy, source), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const run = spawnSync('npm', ['run', 'package'], { cwd: copy, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${scripts.package} failed:\n${run.stdout}${run.stderr}`);
  return { vsix: join(copy, 'ringside.vsix'), remove: () => rmSync(base, { recursive: true, force: true }) };
}
