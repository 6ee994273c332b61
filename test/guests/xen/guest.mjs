// What the Xen tests boot: Debian's Xen, and as its first domain Debian's kernel with a file system of busybox.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from '../../hosts/apt.mjs';
import { debianKernel, debianVmlinux } from '../../hosts/kernel.mjs';
import { debianXen } from '../../hosts/xen.mjs';
import { makeGuestInitramfs } from '../linux/initramfs.mjs';

/** Makes what is missing, and gives the environment in which the tests find it. */
export function xenGuest() {
  const { xen, symbols } = debianXen();
  // Debian's cloud kernel can be no first domain.
  const { kernel } = debianKernel('linux-image-amd64', []);
  const folder = join(cache, 'xen-guest');
  mkdirSync(folder, { recursive: true });
  const initramfs = join(folder, 'initramfs');
  makeGuestInitramfs(initramfs, []);
  const names = join(folder, 'vmlinux');
  execFileSync('objcopy', ['--strip-debug', debianVmlinux('linux-image-amd64').vmlinux, names]);
  return {
    RINGSIDE_XEN: xen,
    RINGSIDE_XEN_SYMBOLS: symbols,
    RINGSIDE_XEN_DOM0: kernel,
    RINGSIDE_XEN_DOM0_SYMBOLS: names,
    RINGSIDE_XEN_INITRAMFS: initramfs,
  };
}

/** The first domain's kernel with its debug information, too, in place of its names alone: 630 MB, which an emulated host would read for minutes. */
export const domainDebugInfo = () => ({ RINGSIDE_XEN_DOM0_SYMBOLS: debianVmlinux('linux-image-amd64').vmlinux });
