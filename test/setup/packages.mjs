// Debian packages, by what they are for, and how they get here.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What each purpose needs; starting Ringside itself needs none of them. */
const packages = {
  guests: ['gcc', 'binutils', 'make', 'libc6-dev', 'linux-libc-dev', 'libxen-dev', 'qemu-system-x86', 'acpica-tools'],
  unit: ['clang', 'llvm', 'lld', 'rustc', 'linux-headers-cloud-amd64'],
  clients: ['gcc', 'g++', 'binutils', 'gdb', 'gdbserver', 'lldb', 'pahole', 'qemu-system-x86'],
  linux: ['qemu-system-x86', 'busybox-static', 'cpio'],
  bench: ['gcc', 'binutils', 'gdb', 'lldb', 'qemu-system-x86', 'qemu-utils', 'time', 'python3-drgn'],
  small: ['gcc', 'binutils', 'libc6-dev', 'make', 'flex', 'bison', 'bc', 'libelf-dev', 'xz-utils', 'perl', 'cpio'],
  xen: ['qemu-system-x86', 'busybox-static', 'cpio', 'binutils', 'gdb'],
  vscode: ['chromium'],
  vmlinux: ['debian-archive-keyring', 'binutils', 'gdb', 'elfutils', 'bpftool', 'python3-drgn', 'crash', 'xz-utils'],
  svm: ['qemu-system-x86', 'busybox-static', 'cpio'],
  vmx: [
    'busybox-static',
    'cpio',
    'bochs',
    'bochsbios',
    'bochs-term',
    'vgabios',
    'grub-pc-bin',
    'grub-common',
    'xorriso',
    'mtools',
  ],
};

const quiet = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };

function isInstalled(name) {
  const query = spawnSync('dpkg', ['-s', name], quiet);
  return query.status === 0 && /^Status: install ok installed$/m.test(query.stdout);
}

/** Runs apt-get as root, by sudo when need be; throws with apt's own words. */
function aptGet(parameters, options = {}) {
  const command = ['apt-get', '-qq', ...parameters];
  if (process.getuid() !== 0) command.unshift('sudo');
  const run = spawnSync(command[0], command.slice(1), {
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    ...options,
  });
  if (run.error) throw new Error(`${command.join(' ')}: ${run.error.message}`);
  if (run.status !== 0) throw new Error(`${command.join(' ')} failed:\n${run.stderr}`);
}

/** Installs what is missing of the packages for `purposes`; throws with what to do where that cannot be done. */
export function ensurePackages(purposes, say = console.log) {
  const wanted = [...new Set(purposes.flatMap((purpose) => packages[purpose]))];
  if (!existsSync('/usr/bin/dpkg')) {
    throw new Error(`this is not a Debian system; install the equivalents of ${wanted.join(' ')} yourself`);
  }
  const missing = wanted.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid() !== 0 && spawnSync('sudo', ['--version'], quiet).status !== 0) {
    throw new Error(`neither root nor sudo here; ask an administrator for: apt-get install ${missing.join(' ')}`);
  }
  say(`installing Debian packages: ${missing.join(' ')}`);
  aptGet(['update']);
  aptGet(['install', '-y', '--no-install-recommends', ...missing]);
}
