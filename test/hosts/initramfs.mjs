// The first file system of a test host: busybox, kernel modules, and an init that goes on in one of two roots.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

function run(command, parameters, options = {}) {
  const done = spawnSync(command, parameters, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
  if (done.status !== 0) throw new Error(`${command} failed: ${done.error ?? done.stderr}`);
  return done.stdout;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

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

/** Loads the modules, enters the root, runs the command, says its status, powers off when the serial line has sent it all. */
const init = ({ modules, enter, command, patience }) => `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root RINGSIDE_PATIENCE=${patience}
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
mkdir -p /dev/shm /dev/pts; mount -t tmpfs none /dev/shm; mount -t devpts none /dev/pts
ip link set lo up
for module in ${modules.map((module) => basename(module)).join(' ')}; do insmod /modules/$module 2>/dev/null; done
${enter}
echo 'kvm-host: ready'
(while sleep 15; do echo 'kvm-host: alive'; done) &
${command} </dev/null 2>&1
status=$?; echo; echo "kvm-host: exit $status"
stty -F /dev/console sane
poweroff -f
`;

/** A root that holds node with its libraries and a copy of `directory`, where the command runs. */
export function copiedRoot({ directory, command }) {
  return {
    addTo(root) {
      addProgram(root, process.execPath, 'usr/bin/node');
      cpSync(directory, join(root, 'project'), { recursive: true });
    },
    enter: 'mount -t tmpfs none /tmp; cd /project',
    command: `sh -c ${quoted(command)}`,
  };
}

/**
 * Has channel 0 of the PIT, which the kernel has no more use for, interrupt `hertz` times a second. QEMU's TCG can lose an
 * interrupt that comes while KVM leaves a guest (helper_vmrun and do_vmexit of its svm_helper.c change `interrupt_request` without
 * the lock); the next one, of any device, brings the lost one along. The one that a kernel waits for may be the only one.
 */
function rateGenerator(hertz) {
  const count = Math.round(1_193_182 / hertz);
  // Mode 2, low byte first.
  const writes = [[0x43, 0x34], ...[count & 0xff, count >> 8].map((byte) => [0x40, byte])];
  return writes.map(([port, byte]) => `printf '\\${byte.toString(8)}' | dd of=/dev/port bs=1 seek=${port} 2>/dev/null`);
}

/**
 * The whole file system of this machine, shared under the tag `root`: what is written is lost, but for what goes to
 * `writable`, a directory shared under the tag `writable`. The command runs in `directory`.
 */
export function sharedRoot({ directory, command, writable }) {
  const options = 'trans=virtio,version=9p2000.L,msize=512000';
  const enter = [
    `mount -t 9p -o ${options},ro,cache=loose root /lower`,
    'mount -t tmpfs none /upper; mkdir /upper/files /upper/work',
    'mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work none /new',
    'for here in proc sys dev; do mount --rbind /$here /new/$here; done',
    'mount -t tmpfs none /new/tmp; mount -t tmpfs none /new/run',
    ...(writable ? [`mount -t 9p -o ${options} writable /new${quoted(writable)}`] : []),
    ...rateGenerator(50),
    'ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2',
  ];
  return {
    addTo: (root) => ['lower', 'upper', 'new'].map((folder) => mkdirSync(join(root, folder))),
    enter: enter.join('\n'),
    command: `chroot /new /bin/bash -c ${quoted(`cd ${quoted(directory)} && ${command}`)}`,
  };
}

/** Returns the path of the archive in `scratch`. */
export function makeInitramfs({ scratch, modules, patience, root: { addTo, enter, command } }) {
  const root = join(scratch, 'root');
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules', 'root']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const module of modules) copyFileSync(module, join(root, 'modules', basename(module)));
  addTo(root);
  writeFileSync(join(root, 'init'), init({ modules, enter, command, patience }), { mode: 0o755 });
  const archive = join(scratch, 'initramfs');
  run('sh', ['-c', `find . | cpio --quiet -o -H newc >"$0"`, archive], { cwd: root });
  return archive;
}
