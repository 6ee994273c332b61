// `npm run bench [WORD ...]`: builds, then runs the benches whose name contains one of the words, one after the other.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { debianVmlinux } from '../hosts/kernel.mjs';
import { bundleTests } from '../setup/bundle-tests.mjs';
import { installVscode } from '../setup/install-vscode.mjs';
import { ensurePackages } from '../setup/packages.mjs';
import { root } from '../setup/prepare.mjs';

const words = process.argv.slice(2);
const benches = ['test/bench', 'test/e2e']
  .flatMap((folder) => readdirSync(join(root, folder)).map((file) => `${folder}/${file}`))
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => words.length === 0 || words.some((word) => basename(file).includes(word)));
ensurePackages(['bench']);
const env = { ...process.env };
// Large downloads, each for the one bench that needs it.
if (benches.includes('test/bench/symbols.bench.ts')) env.RINGSIDE_VMLINUX = debianVmlinux().vmlinux;
if (benches.includes('test/e2e/paint.bench.ts')) {
  ensurePackages(['vscode']);
  env.RINGSIDE_VSCODE_DIR = installVscode();
}
for (const bundle of await bundleTests(benches)) {
  const run = spawnSync(process.execPath, ['--enable-source-maps', bundle], { cwd: root, stdio: 'inherit', env });
  if (run.status !== 0) process.exitCode = 1;
}
