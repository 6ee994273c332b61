// Debian's kernels with some of their modules, downloaded once by apt and unpacked, not installed.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

function output(command, parameters, cwd) {
  const run = spawnSync(command, parameters, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`${command} ${parameters.join(' ')} failed: ${run.error ?? run.stderr}`);
  return run.stdout;
}

/** The package that a meta package stands for. */
function kernelPackage(metaPackage) {
  const name = /Depends: (linux-image-\S+)/.exec(output('apt-cache', ['depends', metaPackage]))?.[1];
  if (!name) throw new Error(`apt knows no ${metaPackage}; run apt-get update`);
  return name;
}

function downloadKernel(name, moduleNames, target) {
  const work = mkdtempSync(`${target}-`);
  try {
    output('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', name], work);
    const archive = readdirSync(work).find((file) => file.endsWith('.deb'));
    output('dpkg-deb', ['-x', archive, 'unpacked'], work);
    const ready = join(work, 'ready');
    mkdirSync(ready);
    for (const entry of readdirSync(join(work, 'unpacked'), { recursive: true })) {
      const file = basename(entry);
      const wanted = moduleNames.some((module) => file === `${module}.ko`);
      if (wanted) copyFileSync(join(work, 'unpacked', entry), join(ready, file));
      if (file.startsWith('vmlinuz-')) copyFileSync(join(work, 'unpacked', entry), join(ready, 'vmlinuz'));
    }
    renameSync(ready, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Paths of the kernel that `metaPackage` stands for and, in the order given, of its modules.
 * @param {string} metaPackage such as linux-image-amd64
 * @param {readonly string[]} moduleNames without .ko, in the order that they are to be loaded in
 */
export function debianKernel(metaPackage, moduleNames) {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ringside');
  const name = kernelPackage(metaPackage);
  const directory = join(cache, name);
  const modules = moduleNames.map((module) => join(directory, `${module}.ko`));
  const files = [join(directory, 'vmlinuz'), ...modules];
  if (!files.every((file) => existsSync(file))) {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    downloadKernel(name, moduleNames, directory);
  }
  return { kernel: files[0], modules };
}
