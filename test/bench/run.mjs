// `npm run bench [WORD ...]`: builds, then runs the benches whose name contains one of the words, one after the other.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundleTests } from '../setup/bundle-tests.mjs';
import { root } from '../setup/prepare.mjs';

const words = process.argv.slice(2);
const benches = readdirSync(join(root, 'test/bench'))
  .filter((file) => file.endsWith('.bench.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
for (const bundle of await bundleTests(benches.map((file) => `test/bench/${file}`))) {
  const run = spawnSync(process.execPath, ['--enable-source-maps', bundle], { cwd: root, stdio: 'inherit' });
  if (run.status !== 0) process.exitCode = 1;
}
