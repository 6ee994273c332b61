/** Files of kernel modules on this machine. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Paths of what a kernel's build lists in `modules.order`, where names end with .ko, or with .o since Linux 6.3. */
export async function listedModules(build: string): Promise<readonly string[]> {
  const order = await readFile(join(build, 'modules.order'), 'utf8').catch(() => '');
  const lines = order.split('\n').filter(Boolean);
  return lines.map((line) => join(build, line.replace(/^kernel\//, '').replace(/\.k?o$/, '.ko')));
}

/**
 * Paths by the names that modules have in the kernel: those listed, and those that lie in the build's top folder. No other
 * is looked through: there may be any number of files.
 */
export async function moduleFiles(build: string): Promise<ReadonlyMap<string, string>> {
  const beside = await readdir(build).catch(() => []);
  const files = [...beside.map((name) => join(build, name)), ...(await listedModules(build))];
  return new Map(
    files.filter((path) => path.endsWith('.ko')).map((path) => [basename(path, '.ko').replaceAll('-', '_'), path]),
  );
}
