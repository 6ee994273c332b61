// The small Linux: a kernel with all its debug information, built from Debian's source by small.config, and kept.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cache, candidate, download } from '../../hosts/apt.mjs';

const SOURCE = 'linux-source-6.1';
const fragment = fileURLToPath(new URL('small.config', import.meta.url));

/** Where the debug information says that the sources are; see `sources` of {@link buildSmallLinux}. */
const RECORDED = '/usr/src/linux';

/** What is not unpacked: sources that this kernel has no use for. The rest of their folders are their Kconfig files. */
const LEFT_OUT = [
  ...['Documentation/*/*', 'tools/testing/*', 'tools/perf/*', 'arch/[!x]*.[chS]', 'arch/[!x]*.dts*'],
  ...['gpu', 'media', 'net'].map((folder) => `drivers/${folder}/*.[ch]`),
  'sound/*.[ch]',
].map((pattern) => `--exclude=${SOURCE}/${pattern}`);

/** Keeps time, user and host out of the kernel. */
const constant = {
  KBUILD_BUILD_TIMESTAMP: '@0',
  KBUILD_BUILD_USER: 'ringside',
  KBUILD_BUILD_HOST: 'debian',
  KBUILD_BUILD_VERSION: '1',
};

const unpack = [
  `tar -xO ./usr/src/${SOURCE}.tar.xz | xz -dc`,
  `tar -x --strip-components=1 --one-top-level=source --anchored --wildcards ${LEFT_OUT.map((flag) => `'${flag}'`).join(' ')}`,
].join(' | ');

/** `$1` is the package, `$2` the fragment. What is kept lies in `ready` afterwards; the sources are those that tests name lines of,
 * the scripts those that the kernel has for gdb. */
const recipe = `
set -e
dpkg-deb --fsys-tarfile "$1" | ${unpack}
cd source
make -s tinyconfig
scripts/kconfig/merge_config.sh -m .config "$2"
make -s olddefconfig
grep '^CONFIG_\\|^# CONFIG_' "$2" | while read -r line; do
  grep -qxF "$line" .config || { echo "the kernel's configuration does not take: $line" >&2; exit 1; }
done
map=-fdebug-prefix-map=$PWD=${RECORDED}
make -s -j$JOBS KCFLAGS=$map KAFLAGS=$map vmlinux bzImage scripts_gdb
mkdir -p ../ready/sources
mv vmlinux arch/x86/boot/bzImage .config ../ready
cp -rL --parents vmlinux-gdb.py scripts/gdb ../ready
cp -r --parents init kernel/*.c ../ready/sources
`;

/** Longest that a build may take; it needs eight minutes of processor time. */
const MILLISECONDS = 45 * 60_000;

/** Runs the recipe below `work`, with the time that others leave; throws with the end of what it said. */
async function build(work) {
  const make = spawn('nice', ['sh', '-c', recipe, 'recipe', download(SOURCE, work), fragment], {
    cwd: work,
    env: { ...process.env, ...constant, JOBS: String(availableParallelism()) },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const stop = () => process.kill(-make.pid, 'SIGKILL');
  const leave = () => {
    stop();
    // What is killed may still be writing.
    rmSync(work, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', leave);
  const timer = setTimeout(stop, MILLISECONDS);
  let said = '';
  make.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-2000);
  });
  const status = await new Promise((resolve) => {
    make.once('error', (error) => resolve(error.message)).once('close', (code, signal) => resolve(code ?? signal));
  });
  clearTimeout(timer);
  process.removeListener('exit', leave);
  if (status !== 0) throw new Error(`the small Linux cannot be built (${status}):\n${said}`);
}

/**
 * Resolves with the paths of the kernel and of its scripts for gdb, built if this version with this configuration was not yet. `sources`: some of its
 * sources, which the debug information says to be below `recorded`.
 */
export async function buildSmallLinux() {
  const hash = createHash('sha256').update(recipe).update(readFileSync(fragment)).digest('hex').slice(0, 12);
  const directory = join(cache, `small-linux-${candidate(SOURCE)}-${hash}`);
  if (!existsSync(directory)) {
    mkdirSync(cache, { recursive: true });
    const work = mkdtempSync(`${directory}-`);
    try {
      await build(work);
      // Another run may have come first.
      if (!existsSync(directory)) renameSync(join(work, 'ready'), directory);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const inDirectory = (name) => join(directory, name);
  return {
    vmlinux: inDirectory('vmlinux'),
    bzImage: inDirectory('bzImage'),
    scripts: inDirectory('vmlinux-gdb.py'),
    sources: inDirectory('sources'),
    recorded: RECORDED,
  };
}
