// Debian packages that are downloaded, not installed: this machine's release's, and those of an older one.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where what was downloaded or built stays. */
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ringside');

/** What a command prints; throws with what it complains about when it fails. */
export function output(command, parameters, cwd) {
  const run = spawnSync(command, parameters, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`${command} ${parameters.join(' ')} failed: ${run.error ?? run.stderr}`);
  return run.stdout;
}

/** Where a release is, and where it goes when it is old. */
const MIRRORS = ['http://deb.debian.org/debian', 'http://archive.debian.org/debian'];
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * apt's options that have it know the packages of `release`, which is final, and no others: by an index in our cache, read
 * once, which apt holds to Debian's keys. This machine's own sources, index and packages are left alone. No options where
 * what this machine's own sources have is meant.
 * @param {string} [release] such as bullseye
 */
function optionsFor(release) {
  if (!release) return ['-o', 'APT::Sandbox::User=root'];
  const directory = join(cache, `apt-${release}`);
  const options = [
    `Dir::State=${directory}`,
    `Dir::Cache=${directory}`,
    `Dir::Etc::sourcelist=${directory}/sources.list`,
    ...['sourceparts', 'preferences', 'preferencesparts'].map((each) => `Dir::Etc::${each}=/dev/null`),
    'Dir::State::status=/dev/null',
    'APT::Default-Release=',
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
  const lists = join(directory, 'lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  if (readdirSync(lists).some((file) => /_Packages\b/.test(file))) return options;
  const mirrors = join(directory, 'mirrors');
  writeFileSync(mirrors, MIRRORS.map((mirror, n) => `${mirror}\tpriority:${n + 1}\n`).join(''));
  const source = `deb [arch=amd64 signed-by=${KEYS}] mirror+file:${mirrors} ${release} main\n`;
  writeFileSync(join(directory, 'sources.list'), source);
  output('apt-get', ['-qq', '--error-on=any', ...options, 'update']);
  return options;
}

/** The package that a meta package stands for. `release` as below. */
export function kernelPackage(metaPackage, release) {
  const known = output('apt-cache', [...optionsFor(release), 'depends', metaPackage]);
  const name = /Depends: (linux-image-\S+)/.exec(known)?.[1];
  if (!name) throw new Error(`apt knows no ${metaPackage}; run apt-get update`);
  return name;
}

/** The version of a package that apt would get. */
export function candidate(name) {
  const version = /Candidate: (\S+)/.exec(output('apt-cache', ['policy', name]))?.[1];
  if (!version || version === '(none)') throw new Error(`apt knows no ${name}; run apt-get update`);
  return version;
}

/**
 * Downloads the package `name` into `work`, where no other is, and returns the archive's path.
 * @param {string} [release] of Debian's that it is of, where that is not this machine's
 */
export function download(name, work, release) {
  output('apt-get', ['-qq', ...optionsFor(release), 'download', name], work);
  return join(
    work,
    readdirSync(work).find((file) => file.endsWith('.deb')),
  );
}
