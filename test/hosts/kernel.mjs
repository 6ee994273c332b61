// Debian's cloud kernel and its KVM modules, downloaded once by apt and unpacked, not installed.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

const metaPackage = 'linux-image-cloud-amd64';
const moduleNames = ['irqbypass', 'kvm', 'kvm-amd', 'kvm-intel'];

function output(command, parameters, cwd) {
  const run = spawnSync(command, parameters, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`${command} ${parameters.join(' ')} failed: ${run.error ?? run.stderr}`);
  return run.stdout;
}

/** The package that the meta package stands for. */
function kernelPackage() {
  const name = /Depends: (linux-image-\S+)/.exec(output('apt-cache', ['depends', metaPackage]))?.[1];
  if (!name) throw new Error(`apt knows no ${metaPackage}; run apt-get update`);
  return name;
}

function downloadKernel(target) {
  const work = mkdtempSync(`${target}-`);
  try {
    output('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', kernelPackage()], work);
    const archive = readdirSync(work).find((file) => file.endsWith('.deb'));
    output('dpkg-deb', ['-x', archive, 'unpacked'], work);
    const ready = join(work, 'ready');
    mkdirSync(ready);
    for (const entry of readdirSync(join(work, 'unpacked'), { recursive: true })) {
      const name = basename(entry);
      const wanted = moduleNames.some((module) => name === `${module}.ko`);
      if (wanted) copyFileSync(join(work, 'unpacked', entry), join(ready, name));
      if (name.startsWith('vmlinuz-')) copyFileSync(join(work, 'unpacked', entry), join(ready, 'vmlinuz'));
    }
    renameSync(ready, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Paths of the kernel and, in the order they are to be loaded, of its KVM modules. */
export function hostKernel() {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'ringside');
  const directory = join(cache, 'kvm-host-kernel');
  if (!existsSync(join(directory, 'vmlinuz'))) {
    mkdirSync(cache, { recursive: true });
    downloadKernel(directory);
  }
  return {
    kernel: join(directory, 'vmlinuz'),
    modules: moduleNames.map((name) => join(directory, `${name}.ko`)),
  };
}
