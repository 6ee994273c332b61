/** A first file system of the host's busybox: a shell on the serial console, and the kernel's own modules. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { type ArchiveFile, CHARACTER_DEVICE, cpio, FOLDER, PLAIN, PROGRAM } from './cpio.ts';
import { LinuxError } from './linux-error.ts';
import { listedModules } from './module-files.ts';

/** Bytes of modules that are put in; of a kernel with more, none. */
const MOST_MODULES = 64 << 20;
/** Bytes of a program's start, in which its program headers are. */
const HEAD = 4096;
const PT_INTERP = 3;

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ PS1='\\w # '
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
[ -c /dev/ttyS0 ] || mknod /dev/ttyS0 c 4 64
echo "Ringside: a shell of busybox; modules are in /modules. exit ends the guest."
setsid sh -c 'exec sh </dev/ttyS0 >/dev/ttyS0 2>&1'
poweroff -f
`;

/**
 * Writes the archive to `folder`, one for each kernel, and gives its path.
 * @param kernel folder in which the kernel was built; its modules are put in
 * Throws {@link LinuxError} where the host has no busybox that runs by itself.
 */
export async function busyboxInitramfs(folder: string, kernel: string): Promise<string> {
  const program = await staticBusybox();
  const files: ArchiveFile[] = [
    ...['bin', 'dev', 'proc', 'sys', 'tmp', 'modules'].map((path) => ({ path, mode: FOLDER })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: { major: 5, minor: 1 } },
    { path: 'bin/busybox', mode: PROGRAM, data: program },
    { path: 'init', mode: PROGRAM, data: Buffer.from(INIT) },
    ...(await modulesOf(kernel)),
  ];
  const path = join(folder, `initramfs-${createHash('sha256').update(kernel).digest('hex').slice(0, 16)}`);
  await mkdir(folder, { recursive: true });
  // Another session may be reading it.
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, cpio(files));
  await rename(mine, path);
  return path;
}

async function staticBusybox(): Promise<Uint8Array> {
  const folders = ['/bin', '/usr/bin', '/sbin', ...(process.env['PATH'] ?? '').split(delimiter)].filter(Boolean);
  for (const path of folders.flatMap((each) => [join(each, 'busybox'), join(each, 'busybox.static')])) {
    const program = await readFile(path).catch(() => undefined);
    if (program && isStatic(program)) return program;
  }
  throw new LinuxError(
    'no statically linked busybox is on this machine. Install it (Debian, Ubuntu: sudo apt install busybox-static; ' +
      'Fedora: sudo dnf install busybox; Arch: sudo pacman -S busybox), or give the path of an initramfs',
  );
}

/** An ELF64 file that asks for no dynamic loader. */
function isStatic(program: Buffer): boolean {
  if (program.length < HEAD || program.toString('latin1', 0, 5) !== '\x7fELF\x02') return false;
  const [offset, size, count] = [
    Number(program.readBigUInt64LE(32)),
    program.readUInt16LE(54),
    program.readUInt16LE(56),
  ];
  if (offset + size * count > HEAD) return false;
  return !Array.from({ length: count }, (_, n) => program.readUInt32LE(offset + n * size)).includes(PT_INTERP);
}

async function modulesOf(kernel: string): Promise<readonly ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  let size = 0;
  for (const path of await listedModules(kernel)) {
    const data = await readFile(path).catch(() => undefined);
    if (!data) continue;
    size += data.length;
    if (size > MOST_MODULES) return [];
    files.push({ path: `modules/${basename(path)}`, mode: PLAIN, data });
  }
  return files;
}
