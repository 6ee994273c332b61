// The first file system of the Linux guests: busybox, modules and `init`.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Writes the archive to `target`; `modules` are paths, in the order in which they are to be loaded. */
export function makeGuestInitramfs(target, modules) {
  const root = mkdtempSync(join(tmpdir(), 'linux-guest-'));
  try {
    for (const folder of ['bin', 'dev', 'proc', 'sys', 'modules']) mkdirSync(join(root, folder));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    copyFileSync(fileURLToPath(new URL('init', import.meta.url)), join(root, 'init'));
    for (const module of modules) copyFileSync(module, join(root, 'modules', basename(module)));
    writeFileSync(join(root, 'modules/order'), modules.map((module) => basename(module, '.ko')).join('\n'));
    const archive = spawnSync('sh', ['-c', 'chmod 755 init bin/busybox; find . | cpio --quiet -o -H newc'], {
      cwd: root,
      maxBuffer: 1 << 26,
    });
    if (archive.status !== 0) throw new Error(`cpio failed: ${archive.stderr}`);
    writeFileSync(target, archive.stdout);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
