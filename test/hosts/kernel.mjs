// Debian's kernels with some of their modules, downloaded once by apt and unpacked, not installed.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cache, download, kernelPackage, output } from './apt.mjs';

/** Adds the kernel and these modules to `target`, which another run may be reading from. */
function downloadKernel({ name, release }, moduleNames, target) {
  const work = mkdtempSync(`${target}-`);
  try {
    output('dpkg-deb', ['-x', download(name, work, release), 'unpacked'], work);
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

/**
 * A cloud kernel of Debian's with its debug information, 590 MB, and one of its modules: a download of 280 MB, once, of which
 * only these two are unpacked. The meta package for it may be ahead of that for the kernel, which is signed later.
 * @param {string} metaPackage of the kernel
 * @param {string} [release] of Debian's that it is of, where that is not this machine's
 */
export function debianVmlinux(metaPackage = 'linux-image-cloud-amd64', release = undefined) {
  const name = `${kernelPackage(metaPackage, release)}-dbg`;
  const directory = join(cache, name);
  const files = { vmlinux: join(directory, 'vmlinux'), module: join(directory, 'virtio_blk.ko') };
  if (Object.values(files).every((file) => existsSync(file))) return files;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(`${directory}-`);
  try {
    const unpack = `dpkg-deb --fsys-tarfile '${download(name, work, release)}' | tar -x --wildcards '*/boot/vmlinux-*' '*/virtio_blk.ko'`;
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
 * @param {string} [release] of Debian's that it is of, where that is not this machine's
 */
export function debianKernel(metaPackage, moduleNames, release) {
  const name = kernelPackage(metaPackage, release);
  const directory = join(cache, name);
  const modules = moduleNames.map((module) => join(directory, `${module}.ko`));
  const files = [join(directory, 'vmlinuz'), ...modules];
  if (!files.every((file) => existsSync(file))) {
    mkdirSync(cache, { recursive: true });
    downloadKernel({ name, release }, moduleNames, directory);
  }
  return { kernel: files[0], modules };
}
