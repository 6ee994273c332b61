// `npm run soak -- MINUTES [SEED [sample|linux]]`: a random user, for as long as you like; the same seed does the same.
import { ensurePackages } from '../setup/packages.mjs';
import { ensureBuild, ensureModules } from '../setup/prepare.mjs';

const [minutes, seed = Date.now() % 1_000_000] = process.argv.slice(2, 4).map(Number);
const guest = process.argv[4] ?? 'sample';
if (!(minutes > 0) || !(seed >= 0) || !['sample', 'linux'].includes(guest)) {
  console.error('usage: npm run soak -- MINUTES [SEED [sample|linux]]');
  process.exit(2);
}
ensureModules();
ensureBuild();
// These ask the host what it can do, by what was just built.
const { soaks } = await import('../setup/suites.mjs');
const environment = { RINGSIDE_SOAK_MINUTES: String(minutes), RINGSIDE_SOAK_SEED: String(seed) };
const soak = soaks[guest](minutes * 70 + 600, environment);
console.log(`seed ${seed}${soak.note ? `; ${soak.note}` : ''}`);
ensurePackages(soak.needs);
const { events, output, problem } = await soak.run();
for (const { name, result, error = '' } of events) console.log(`${result}: ${name}\n${error}`);
if (problem) console.log(problem, output);
process.exitCode = !problem && events.length > 0 && events.every(({ result }) => result === 'passed') ? 0 : 1;
