/** What Linux says on its serial port under QEMU with the same KVM, on the machine that is most like ours. */
import { execFileSync } from 'node:child_process';
import { debian, files } from './linux-guest.ts';

/** Whole output of the guest. The disk's file is not changed. `hide`: processor features, as QEMU names them. */
export function qemuLog(commandLine: string, hide: readonly string[]): string {
  const modern = 'disable-legacy=on';
  const off = hide.map((name) => `,${name}=off`).join('');
  const parameters = [
    ...['-accel', 'kvm', '-cpu', `host${off}`, '-machine', 'pc', '-smp', '1', '-m', '512M', '-no-reboot'],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio'],
    ...['-kernel', debian.kernel, '-initrd', debian.initramfs, '-append', commandLine],
    ...['-drive', `file=${files.disk},if=none,id=disk,format=raw,snapshot=on`],
    ...['-device', `virtio-rng-pci,addr=5,${modern}`],
    ...['-device', `virtio-serial-pci,addr=6,max_ports=1,${modern}`, '-chardev', 'null,id=null'],
    ...['-device', 'virtconsole,chardev=null', '-device', `virtio-blk-pci,addr=7,drive=disk,${modern}`],
  ];
  return execFileSync('qemu-system-x86_64', parameters, {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 300_000,
    killSignal: 'SIGKILL',
  });
}
