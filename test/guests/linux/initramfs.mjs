// The first file systems of the Linux guests.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const beside = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Busybox, modules and the script `init`. `modules` are paths, in the order in which they are to be loaded; `others` are only there. */
export function makeGuestInitramfs(target, modules, others = []) {
  writeArchive(target, (root) => {
    for (const folder of ['bin', 'dev', 'proc', 'sys', 'modules']) mkdirSync(join(root, folder));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    copyFileSync(beside('init'), join(root, 'init'));
    for (const module of [...modules, ...others]) copyFileSync(module, join(root, 'modules', basename(module)));
    writeFileSync(join(root, 'modules/order'), modules.map((module) => basename(module, '.ko')).join('\n'));
  });
}

/** One small program, which switches the machine off: unpacked in no time where the kernel is interpreted. */
export function makeShortInitramfs(target) {
  writeArchive(target, (root) => {
    execFileSync('gcc', ['-nostdlib', '-static', '-s', '-o', join(root, 'init'), beside('power-off.S')]);
  });
}

/** Writes what `fill` puts into a folder to the archive `target`. */
function writeArchive(target, fill) {
  const root = mkdtempSync(join(tmpdir(), 'linux-guest-'));
  try {
    fill(root);
    chmodSync(join(root, 'init'), 0o755);
    const archive = spawnSync('sh', ['-c', 'find . | cpio --quiet -o -H newc'], { cwd: root, maxBuffer: 1 << 26 });
    if (archive.status !== 0) throw new Error(`cpio failed: ${archive.stderr}`);
    writeFileSync(target, archive.stdout);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
