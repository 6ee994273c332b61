/** Makes the vsix as `npm run package` does, from a copy, so that the dist/ of the checkout stays as it is. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './staged-extension.ts';

const SOURCES = [
  ...[
    'package.json',
    'package.nls.json',
    'esbuild.mjs',
    'tsconfig.json',
    '.vscodeignore',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
  ],
  ...['extension', 'debug-adapter', 'hypervisor-core', 'media', 'test/guests', 'test/setup'],
];

export interface Packaged {
  readonly vsix: string;
  remove(): void;
}

/** For machines with KVM, or for all others. */
export function packageExtension(which: 'linux-x64' | 'universal' = 'linux-x64'): Packaged {
  const base = mkdtempSync(join(tmpdir(), 'ringside-package-'));
  const copy = join(base, 'checkout');
  for (const source of SOURCES) cpSync(join(root, source), join(copy, source), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const run = spawnSync('npm', ['run', `package:${which}`], { cwd: copy, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`package:${which} failed:\n${run.stdout}${run.stderr}`);
  return { vsix: join(copy, `ringside-${which}.vsix`), remove: () => rmSync(base, { recursive: true, force: true }) };
}
