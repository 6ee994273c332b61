// `npm test`: makes the clone ready, runs the suites, says how it went. Needs nothing installed but node and apt.
//   npm test                     all suites
//   npm test -- unit core        only these; their names are in setup/suites.mjs
// The last line is `N passed, N failed, N skipped`; the exit status is 1 when anything failed or a suite could not run.

import { ensurePackages } from './setup/packages.mjs';
import { ensureBuild, ensureModules } from './setup/prepare.mjs';

/** Most lines shown of one failure. */
const shownLines = 40;

const indent = (text) =>
  text
    .trim()
    .split('\n')
    .slice(0, shownLines)
    .map((line) => `      ${line}`)
    .join('\n');

const seconds = (since) => ((Date.now() - since) / 1000).toFixed(1);

/** Runs one suite and prints its line and its failures. */
async function runSuite({ name, needs, run, note }) {
  const started = Date.now();
  let result;
  try {
    ensurePackages(needs);
    result = await run();
  } catch (error) {
    result = { events: [], output: '', problem: error.stack ?? String(error) };
  }
  const count = (kind) => result.events.filter((event) => event.result === kind).length;
  // A suite that went wrong as a whole is one more failure.
  const counts = {
    passed: count('passed'),
    failed: count('failed') + (result.problem ? 1 : 0),
    skipped: count('skipped'),
  };
  const numbers = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
  console.log(`${counts.failed ? 'FAIL' : 'ok  '} ${name.padEnd(13)} ${numbers.padEnd(36)} ${seconds(started)} s`);
  if (note) console.log(`    note: ${note}`);
  for (const event of result.events) {
    if (event.result === 'failed') console.log(`    failed: ${event.name}\n${indent(event.error ?? '')}`);
    if (event.result === 'skipped') console.log(`    skipped: ${event.name}${event.why ? ` (${event.why})` : ''}`);
  }
  if (result.problem) console.log(`    problem:\n${indent(result.problem)}`);
  if (counts.failed && result.output) console.log(`    output:\n${indent(result.output)}`);
  return counts;
}

/** Begins what a suite needs long before it runs. What goes wrong then is said by the suite, which waits for it. */
async function prepareSuite({ needs, prepare }) {
  try {
    ensurePackages(needs);
    await prepare();
  } catch {}
}

async function main(names) {
  ensureModules();
  ensureBuild();
  // Only now: the suites need npm's packages.
  const { suites } = await import('./setup/suites.mjs');
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    throw new Error(`no suite ${unknown.join(', ')}; there are ${suites.map((suite) => suite.name).join(', ')}`);
  }
  const chosen = suites.filter((suite) => names.length === 0 || names.includes(suite.name));
  for (const suite of chosen) if (suite.prepare) void prepareSuite(suite);
  const results = [];
  const alongside = [];
  for (const suite of chosen) {
    if (suite.alongside) {
      alongside.push(runSuite(suite));
    } else {
      if (suite.alone) await Promise.all(alongside);
      results.push(await runSuite(suite));
    }
  }
  results.push(...(await Promise.all(alongside)));
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const result of results) for (const kind of Object.keys(total)) total[kind] += result[kind];
  return total;
}

const started = Date.now();
const total = { passed: 0, failed: 0, skipped: 0 };
try {
  Object.assign(total, await main(process.argv.slice(2)));
} catch (error) {
  console.log(`cannot run the tests: ${error.message}`);
  total.failed = 1;
}
console.log(`\nin ${seconds(started)} s:`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
