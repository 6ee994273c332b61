// The root file system of a test host: busybox, node with its libraries, KVM's modules, and the project.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** First process: loads KVM, runs the command, says its status, powers off when the serial line has sent it all. */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/tmp
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev; mount -t tmpfs none /tmp
mkdir -p /dev/shm; mount -t tmpfs none /dev/shm; ip link set lo up
insmod /modules/irqbypass.ko; insmod /modules/kvm.ko
insmod /modules/kvm-amd.ko 2>/dev/null || insmod /modules/kvm-intel.ko
echo 'kvm-host: ready'
cd /project; sh /command </dev/null 2>&1
status=$?; echo; echo "kvm-host: exit $status"
stty -F /dev/console sane
poweroff -f
`;

function run(command, parameters, options = {}) {
  const done = spawnSync(command, parameters, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (done.status !== 0) throw new Error(`${command} failed: ${done.error ?? done.stderr}`);
  return done.stdout;
}

/** Copies a program and the libraries that it is linked with. */
function addProgram(root, program, at) {
  const source = realpathSync(program);
  mkdirSync(join(root, dirname(at)), { recursive: true });
  copyFileSync(source, join(root, at));
  chmodSync(join(root, at), 0o755);
  for (const [library] of run('ldd', [source]).matchAll(/\/[^\s)]+/g)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(realpathSync(library), join(root, library));
  }
}

/** Returns the path of the archive in `scratch`. */
export function makeInitramfs({ scratch, directory, command, modules }) {
  const root = join(scratch, 'root');
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const module of modules) copyFileSync(module, join(root, 'modules', basename(module)));
  addProgram(root, process.execPath, 'usr/bin/node');
  cpSync(directory, join(root, 'project'), { recursive: true });
  writeFileSync(join(root, 'command'), `${command}\n`);
  writeFileSync(join(root, 'init'), init, { mode: 0o755 });
  const archive = join(scratch, 'initramfs');
  run('sh', ['-c', `find . | cpio --quiet -o -H newc >"$0"`, archive], { cwd: root });
  return archive;
}
