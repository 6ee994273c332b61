// The small Linux of the tests, built from Debian's sources with small.config, once for each of their versions.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = 'linux-source-6.1';
const ARCHIVE = `/usr/src/${PACKAGE}.tar.xz`;
const CONFIG = fileURLToPath(new URL('small.config', import.meta.url));
/** bzImage to boot, vmlinux with its symbols to boot by PVH and to debug. */
const RESULTS = { bzImage: 'arch/x86/boot/bzImage', vmlinux: 'vmlinux' };

function run(command, parameters, cwd) {
  const done = spawnSync(command, parameters, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (done.status !== 0) {
    const said = (done.error?.message ?? done.stdout + done.stderr).split('\n').slice(-20).join('\n');
    throw new Error(`${command} ${parameters.join(' ')} failed:\n${said}`);
  }
  return done.stdout;
}

function build(target) {
  const work = mkdtempSync(`${target}-`);
  try {
    run('tar', ['-xf', ARCHIVE, '-C', work]);
    const source = join(work, PACKAGE);
    const output = join(work, 'output');
    mkdirSync(output);
    // What the time and the place would put into the image is said here, so that the same input gives the same kernel.
    const stamps = ['KBUILD_BUILD_TIMESTAMP=1970-01-01', 'KBUILD_BUILD_USER=ringside', 'KBUILD_BUILD_HOST=tests'];
    const make = (...goals) => run('make', ['-s', `O=${output}`, ...stamps, ...goals], source);
    make('tinyconfig');
    run(join(source, 'scripts/kconfig/merge_config.sh'), ['-m', '-O', output, join(output, '.config'), CONFIG], source);
    make('olddefconfig');
    make(`-j${availableParallelism()}`, 'vmlinux', 'bzImage');
    const ready = join(work, 'ready');
    mkdirSync(ready);
    for (const [name, path] of Object.entries({ ...RESULTS, config: '.config' })) {
      copyFileSync(join(output, path), join(ready, name));
    }
    renameSync(ready, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Folder with `bzImage`, `vmlinux` and the `config` that they were built with. The first call takes minutes; the Debian
 * packages for the purpose `linux` (test/setup/packages.mjs) must be there.
 */
export function smallLinux() {
  const version = run('dpkg-query', ['-W', '-f', '${Version}', PACKAGE]);
  const hash = createHash('sha256').update(version).update(readFileSync(CONFIG)).digest('hex').slice(0, 16);
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ringside');
  const target = join(cache, `linux-small-${hash}`);
  if (existsSync(target)) return target;
  mkdirSync(cache, { recursive: true });
  for (const old of readdirSync(cache)) {
    if (old.startsWith('linux-small-')) rmSync(join(cache, old), { recursive: true, force: true });
  }
  build(target);
  return target;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(smallLinux());
