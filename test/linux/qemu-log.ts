/** What Linux says on its serial port under QEMU on the same machine, on a board that is most like ours. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kernel } from './linux-guest.ts';

interface QemuOptions {
  /** Processor features, as QEMU names them. */
  readonly hide?: readonly string[];
  readonly cpus?: number;
  /** In MiB. */
  readonly memory?: number;
  /** Image of a virtio disk, with which come the other virtio devices; the file is not changed. */
  readonly disk?: string;
  /** Not on KVM, but by QEMU's own emulation of this processor. */
  readonly emulated?: string;
}

/** Whole output of the guest, which has to power itself off. */
export function qemuLog({ kernel, initramfs }: Kernel, commandLine: string, options: QemuOptions = {}): string {
  const { hide = [], cpus = 1, memory = 512, disk, emulated } = options;
  const model = [emulated ?? 'host', ...hide.map((name) => `${name}=off`)].join();
  const folder = mkdtempSync(join(tmpdir(), 'ringside-qemu-'));
  // Not a pipe: QEMU drops what a reader that is late does not take.
  const log = join(folder, 'serial');
  const parameters = [
    ...['-accel', emulated ? 'tcg' : 'kvm', '-cpu', model, '-machine', 'pc', '-smp', `${cpus}`, '-m', `${memory}M`],
    ...['-no-reboot', '-nodefaults', '-display', 'none', '-serial', `file:${log}`],
    ...['-kernel', kernel, '-initrd', initramfs, '-append', commandLine],
    ...(disk === undefined ? [] : virtioDevices(disk)),
  ];
  try {
    execFileSync('qemu-system-x86_64', parameters, {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: 300_000,
      killSignal: 'SIGKILL',
    });
    return readFileSync(log, 'latin1');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function virtioDevices(disk: string): string[] {
  const modern = 'disable-legacy=on';
  return [
    ...['-drive', `file=${disk},if=none,id=disk,format=raw,snapshot=on`],
    ...['-device', `virtio-rng-pci,addr=5,${modern}`],
    ...['-device', `virtio-serial-pci,addr=6,max_ports=1,${modern}`, '-chardev', 'null,id=null'],
    ...['-device', 'virtconsole,chardev=null', '-device', `virtio-blk-pci,addr=7,drive=disk,${modern}`],
  ];
}
