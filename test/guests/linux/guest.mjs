// What the Linux tests boot: Debian's kernel, a first file system with its virtio drivers, and a disk; and the small Linux.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cache } from '../../hosts/apt.mjs';
import { debianKernel, debianVmlinux } from '../../hosts/kernel.mjs';
import { buildSmallLinux } from './build.mjs';
import { makeGuestInitramfs, makeShortInitramfs } from './initramfs.mjs';

const SECTORS = 64;
const MODULES = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['virtio_blk', 'virtio_console', 'virtio-rng'],
];

/** Calls KVM when it is loaded. */
const CALLER = 'ptp_kvm';

/** Makes what is missing, and gives the environment in which the tests find it. */
export function linuxGuest() {
  const { kernel, modules: all } = debianKernel('linux-image-cloud-amd64', [...MODULES, CALLER]);
  const [modules, others] = [all.slice(0, -1), all.slice(-1)];
  const files = { kernel, vmlinux: inFolder('vmlinux'), initramfs: inFolder('initramfs'), disk: inFolder('disk') };
  const { vmlinux: symbols } = debianVmlinux();
  execFileSync('objcopy', ['--strip-all', symbols, files.vmlinux]);
  makeGuestInitramfs(files.initramfs, modules, others);
  // Sector n is full of the byte n.
  writeFileSync(files.disk, Buffer.from(Array.from({ length: SECTORS * 512 }, (_, byte) => byte >> 9)));
  return {
    RINGSIDE_LINUX_KERNEL: files.kernel,
    RINGSIDE_LINUX_VMLINUX: files.vmlinux,
    RINGSIDE_LINUX_SYMBOLS: symbols,
    RINGSIDE_LINUX_BESIDE: beside(symbols, others),
    RINGSIDE_LINUX_INITRAMFS: files.initramfs,
    RINGSIDE_LINUX_DISK: files.disk,
  };
}

/** The same for the small Linux, which needs no modules and has no disk. */
export async function smallLinuxGuest() {
  const { vmlinux, bzImage, scripts, sources, recorded } = await buildSmallLinux();
  const initramfs = inFolder('small-initramfs');
  makeGuestInitramfs(initramfs, []);
  const shortInitramfs = inFolder('short-initramfs');
  makeShortInitramfs(shortInitramfs);
  return {
    RINGSIDE_SMALL_VMLINUX: vmlinux,
    RINGSIDE_SMALL_BZIMAGE: bzImage,
    RINGSIDE_SMALL_SCRIPTS: scripts,
    RINGSIDE_SMALL_SOURCES: sources,
    RINGSIDE_SMALL_RECORDED: recorded,
    RINGSIDE_SMALL_INITRAMFS: initramfs,
    RINGSIDE_SMALL_SHORT_INITRAMFS: shortInitramfs,
  };
}

/** A kernel's symbols in a folder with these modules, as in that of its build. */
function beside(vmlinux, modules) {
  const folder = inFolder('build');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const path of [vmlinux, ...modules]) symlinkSync(path, join(folder, basename(path)));
  return folder;
}

function inFolder(name) {
  const folder = join(cache, 'linux-guest');
  mkdirSync(folder, { recursive: true });
  return join(folder, name);
}
