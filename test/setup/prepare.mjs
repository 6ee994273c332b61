// Makes a fresh clone ready: npm packages, Debian packages, dist/. Needs nothing but node itself.
//   node test/setup/prepare.mjs [PURPOSE ...]   purposes of packages.mjs, each with its Debian packages
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from './packages.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program in the checkout; throws with what it said. */
function run(command, parameters) {
  const done = spawnSync(command, parameters, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (done.error) throw new Error(`${command}: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`${command} ${parameters.join(' ')} failed:\n${done.stdout}${done.stderr}`);
}

/** Versions by path, of packages that this machine should have. */
function lockedPackages(file) {
  if (!existsSync(file)) return undefined;
  const { packages } = JSON.parse(readFileSync(file, 'utf8'));
  return new Map(Object.entries(packages).filter(([path]) => path !== ''));
}

/** True when node_modules holds what package-lock.json asks for. */
function modulesAreFresh() {
  const installed = lockedPackages(`${root}node_modules/.package-lock.json`);
  if (!installed) return false;
  for (const [path, wanted] of lockedPackages(`${root}package-lock.json`)) {
    const found = installed.get(path);
    if (found ? found.version !== wanted.version : !wanted.optional) return false;
  }
  return true;
}

export function ensureModules(say = console.log) {
  if (modulesAreFresh()) return;
  say('installing npm packages (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}

/** The build takes a second, so that it is made anew each time. */
export function ensureBuild() {
  run(process.execPath, ['esbuild.mjs']);
}

/** Everything for `purposes`. */
export function prepare(purposes = [], say = console.log) {
  ensureModules(say);
  ensurePackages(purposes, say);
  ensureBuild();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    prepare(process.argv.slice(2));
  } catch (error) {
    console.error(`cannot prepare: ${error.message}`);
    process.exitCode = 1;
  }
}
