// Debian's kernels with some of their modules, downloaded once by apt and unpacked, not installed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

/** What a command prints; throws with what it complains about when it fails. */
export function output(command, parameters, cwd) {
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

/** The version of a package that apt would get. */
export function candidate(name) {
  const version = /Candidate: (\S+)/.exec(output('apt-cache', ['policy', name]))?.[1];
  if (!version || version === '(none)') throw new Error(`apt knows no ${name}; run apt-get update`);
  return version;
}

/** Downloads the package `name` into `work`, where no other is, and returns the archive's path. */
export function download(name, work) {
  output('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', name], work);
  return join(
    work,
    readdirSync(work).find((file) => file.endsWith('.deb')),
  );
}

/** Adds the kernel and these modules to `target`, which another run may be reading from. */
function downloadKernel(name, moduleNames, target) {
  const work = mkdtempSync(`${target}-`);
  try {
    output('dpkg-deb', ['-x', download(name, work), 'unpacked'], work);
    mkdirSync(target, { recursive: true });
    for (const entry of readdirSync(join(work, 'unpacked'), { recursive: true })) {
      const path = join(work, 'unpacked', entry);
      const file = basename(entry, '.xz');
      if (file.startsWith('vmlinuz-')) renameSync(path, join(target, 'vmlinuz'));
      if (!moduleNames.some((module) => file === `${module}.ko`)) continue;
      if (entry.endsWith('.xz')) output('xz', ['-d', path]);
      renameSync(path.replace(/\.xz$/, ''), join(target, file));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Where what was downloaded or built stays. */
export const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ringside');

/**
 * A cloud kernel of Debian's with its debug information, 590 MB, and one of its modules: a download of 280 MB, once, of which
 * only these two are unpacked. The meta package for it may be ahead of that for the kernel, which is signed later.
 * @param {string} metaPackage of the kernel
 */
export function debianVmlinux(metaPackage = 'linux-image-cloud-amd64') {
  const name = `${kernelPackage(metaPackage)}-dbg`;
  const directory = join(cache, name);
  const files = { vmlinux: join(directory, 'vmlinux'), module: join(directory, 'virtio_blk.ko') };
  if (Object.values(files).every((file) => existsSync(file))) return files;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(`${directory}-`);
  try {
    const unpack = `dpkg-deb --fsys-tarfile '${download(name, work)}' | tar -x --wildcards '*/boot/vmlinux-*' '*/virtio_blk.ko'`;
    output('sh', ['-c', unpack], work);
    const ready = join(work, 'ready');
    mkdirSync(ready);
    for (const entry of readdirSync(join(work, 'usr'), { recursive: true })) {
      const file = basename(entry);
      if (/^vmlinux-/.test(file)) renameSync(join(work, 'usr', entry), join(ready, 'vmlinux'));
      if (file === 'virtio_blk.ko') renameSync(join(work, 'usr', entry), join(ready, file));
    }
    renameSync(ready, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return files;
}

/**
 * Paths of the kernel that `metaPackage` stands for and, in the order given, of its modules.
 * @param {string} metaPackage such as linux-image-amd64
 * @param {readonly string[]} moduleNames without .ko, in the order that they are to be loaded in
 */
export function debianKernel(metaPackage, moduleNames) {
  const name = kernelPackage(metaPackage);
  const directory = join(cache, name);
  const modules = moduleNames.map((module) => join(directory, `${module}.ko`));
  const files = [join(directory, 'vmlinuz'), ...modules];
  if (!files.every((file) => existsSync(file))) {
    mkdirSync(cache, { recursive: true });
    downloadKernel(name, moduleNames, directory);
  }
  return { kernel: files[0], modules };
}
