// QEMU's emulator (TCG) as a test host with SVM. It shares this machine's files with the guest.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const share = (tag, path, more = '') => ['-virtfs', `local,path=${path},mount_tag=${tag},security_model=none${more}`];

/**
 * Starts the machine; `stdout` is its serial port. On its standard error QEMU says what its TCG lacks of the model: that
 * goes to a log. `ports` of the machine are reached at the same ports of this machine's loopback interface.
 */
export function startQemu({ scratch, kernel, initramfs, memory, kernelParameters, writable, ports }) {
  const log = openSync(join(scratch, 'log'), 'w');
  const forwards = ports.map((port) => `,hostfwd=tcp:127.0.0.1:${port}-:${port}`).join('');
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=multi', '-cpu', 'EPYC,+svm', '-smp', '2', '-m', String(memory)],
      ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
      ...share('root', '/', ',readonly=on,multidevs=remap'),
      ...(writable ? share('writable', writable) : []),
      ...['-nic', `user,model=virtio-net-pci${forwards}`],
      ...['-kernel', kernel, '-initrd', initramfs, '-append', `${kernelParameters} maxcpus=1`],
    ],
    { stdio: ['ignore', 'pipe', log], detached: true },
  );
  closeSync(log);
  return machine;
}
