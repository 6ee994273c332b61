/** A folder in which Linux was built: what of it is booted, and with what. */
import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LaunchAttributes } from '../../debug-adapter/protocol/custom.ts';

export interface LinuxBuild {
  /** What is booted: the bzImage, or vmlinux itself where there is none. */
  readonly image: string;
  /** What has the symbols. */
  readonly vmlinux: string;
}

/** The serial line is the terminal; addresses are those of vmlinux from the first instruction on. */
const COMMAND_LINE = 'console=ttyS0 nokaslr';

/** Undefined where `folder` is not the top of a build, or nothing was built. */
export async function linuxBuildIn(folder: string): Promise<LinuxBuild | undefined> {
  const [vmlinux, image] = [join(folder, 'vmlinux'), join(folder, 'arch/x86/boot/bzImage')];
  if (!(await isThere(vmlinux))) return undefined;
  if (await isThere(image)) return { image, vmlinux };
  return (await isThere(join(folder, '.config'))) ? { image: vmlinux, vmlinux } : undefined;
}

/** The build that this file is the kernel of; undefined for other kernels. */
export async function linuxBuildOf(kernel: string): Promise<LinuxBuild | undefined> {
  return basename(kernel) === 'vmlinux' ? linuxBuildIn(dirname(kernel)) : undefined;
}

/** What launch.json says of it. @param written a path as launch.json has it */
export function linuxAttributes({ image, vmlinux }: LinuxBuild, written: (path: string) => string): LaunchAttributes {
  return {
    program: written(image),
    ...(image === vmlinux ? {} : { symbols: written(vmlinux) }),
    args: COMMAND_LINE,
    initrd: 'busybox',
    memory: '512M',
  };
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
