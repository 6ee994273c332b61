// `npm run soak -- MINUTES [SEED]`: a random user on the sample guest, for as long as you like; the same seed does the same.
import { bundleTests } from '../setup/bundle-tests.mjs';
import { ensureBuild, ensureModules, root } from '../setup/prepare.mjs';
import { runBundles } from '../setup/test-process.mjs';

const [minutes, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number);
if (!(minutes > 0) || !(seed >= 0)) {
  console.error('usage: npm run soak -- MINUTES [SEED]');
  process.exit(2);
}
ensureModules();
ensureBuild();
console.log(`seed ${seed}`);
const environment = { RINGSIDE_SOAK_MINUTES: String(minutes), RINGSIDE_SOAK_SEED: String(seed) };
const bundles = await bundleTests(['test/adapter/soak.test.ts']);
const { events, output, problem } = await runBundles(root, bundles, minutes * 70 + 300, environment);
for (const { name, result, error = '' } of events) console.log(`${result}: ${name}\n${error}`);
if (problem) console.log(problem, output);
process.exitCode = !problem && events.every(({ result }) => result === 'passed') ? 0 : 1;
