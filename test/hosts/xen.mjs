// Debian's Xen with its symbols, downloaded once by apt and unpacked, not installed.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { cache, download, output } from './apt.mjs';

const PACKAGE = 'xen-hypervisor-4.17-amd64';

/** Paths of `xen`, as GRUB unpacks it, and of `symbols`, the ELF file that it was made of: a symbol table and no DWARF. */
export function debianXen() {
  const directory = join(cache, PACKAGE);
  const files = { xen: join(directory, 'xen'), symbols: join(directory, 'xen-syms') };
  if (Object.values(files).every((file) => existsSync(file))) return files;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(`${directory}-`);
  try {
    const unpacked = (name) => {
      const folder = join(work, name);
      mkdirSync(folder);
      output('dpkg-deb', ['-x', download(name, folder), 'unpacked'], folder);
      return join(folder, 'unpacked');
    };
    const ready = join(work, 'ready');
    mkdirSync(ready);
    const compressed = readFileSync(join(unpacked(PACKAGE), 'boot/xen-4.17-amd64.gz'));
    writeFileSync(join(ready, 'xen'), gunzipSync(compressed));
    renameSync(join(unpacked(`${PACKAGE}-dbg`), 'usr/lib/debug/boot/xen-syms-4.17-amd64'), join(ready, 'xen-syms'));
    rmSync(directory, { recursive: true, force: true });
    renameSync(ready, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return files;
}
