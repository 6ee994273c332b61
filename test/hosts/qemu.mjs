// QEMU's emulator (TCG) as a test host with SVM. It shares this machine's files with the guest.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const share = (tag, path, more = '') => ['-virtfs', `local,path=${path},mount_tag=${tag},security_model=none${more}`];

/**
 * With more processors than one, QEMU's TCG is no machine to test on. An interrupt that KVM injects stays behind as one to be
 * delivered (`exception_index`, in helper_vmrun of its svm_helper.c): the guest gets it again, with interrupts off, when another
 * processor has this one leave its loop before the guest's next exit. Linux then waits for a lock that it holds itself. And a
 * processor may go on running code that another one has changed.
 */
const PROCESSORS = 1;

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
      ...['-accel', 'tcg', '-cpu', 'EPYC,+svm', '-smp', String(PROCESSORS), '-m', String(memory)],
      // Else the HPET takes the PIT's interrupt over.
      ...['-machine', 'hpet=off'],
      ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
      ...share('root', '/', ',readonly=on,multidevs=remap'),
      ...(writable ? share('writable', writable) : []),
      ...['-nic', `user,model=virtio-net-pci${forwards}`],
      ...['-kernel', kernel, '-initrd', initramfs, '-append', kernelParameters],
    ],
    { stdio: ['ignore', 'pipe', log], detached: true },
  );
  closeSync(log);
  return machine;
}
