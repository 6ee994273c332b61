// `npm run bench [WORD ...]`: builds, then runs the benches whose name contains one of the words, one after the other.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { debianVmlinux } from '../hosts/kernel.mjs';
import { bundleTests } from '../setup/bundle-tests.mjs';
import { ensurePackages } from '../setup/packages.mjs';
import { root } from '../setup/prepare.mjs';

const words = process.argv.slice(2);
const benches = readdirSync(join(root, 'test/bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
ensurePackages(['bench']);
// A large download, for the one bench that reads it.
const env = benches.includes('symbols.bench.ts')
  ? { ...process.env, RINGSIDE_VMLINUX: debianVmlinux().vmlinux }
  : process.env;
for (const bundle of await bundleTests(benches.map((file) => `test/bench/${file}`))) {
  const run = spawnSync(process.execPath, ['--enable-source-maps', bundle], { cwd: root, stdio: 'inherit', env });
  if (run.status !== 0) process.exitCode = 1;
}
