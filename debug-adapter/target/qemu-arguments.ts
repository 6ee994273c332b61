/** QEMU's command line for a launch: the machine that Ringside's own core would make, as far as QEMU can be that. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBootChoice } from '../../hypervisor-core/protocol/boot-choice.ts';
import type { CoreOptions } from './core-target.ts';
import { TargetError } from './target.ts';

/** Sockets of a QEMU that we start, in a private folder. */
export const qemuSockets = (folder: string) => ({
  gdb: join(folder, 'gdb.sock'),
  qmp: join(folder, 'qmp.sock'),
  serial: join(folder, 'serial.sock'),
});

/** What `ringside run` says its status is; QEMU's own device has the same port and meaning. */
const DEBUG_EXIT = 'isa-debug-exit,iobase=0xf4,iosize=4';

/** Throws `TargetError` for what QEMU has no way to do; the message names the attribute. */
export async function qemuArguments(options: CoreOptions, folder: string): Promise<readonly string[]> {
  if (options.gdb !== undefined) {
    throw new TargetError(
      '"gdb": QEMU has one GDB stub, which this session uses. Leave it out, or set "backend": "kvm"',
    );
  }
  if (options.personality !== 'auto' && options.personality !== 'none') {
    throw new TargetError(
      `"personality": QEMU without KVM is no ${options.personality} hypervisor. Leave it out, or set "backend": "kvm"`,
    );
  }
  if (options.framebuffer !== undefined) {
    throw new TargetError(
      '"framebuffer": QEMU\'s own loader tells a kernel of none. Leave it out, or set "backend": "kvm"',
    );
  }
  if (options.cpu !== '') {
    throw new TargetError('"cpu": QEMU has a processor of its own. Leave it out, or set "backend": "kvm"');
  }
  const sockets = qemuSockets(folder);
  const socket = (id: string, path: string) => ['-chardev', `socket,id=${id},server=on,wait=off,path=${path}`];
  return [
    ...['-accel', 'tcg', '-display', 'none', '-nodefaults', '-no-user-config', '-S'],
    // A guest that ends stays to be looked at; what ended it comes as an event.
    ...['-action', 'reboot=shutdown,shutdown=pause,panic=pause'],
    ...['-m', `${Math.floor(options.memory / 1024)}k`, '-smp', String(options.cpus)],
    ...[...socket('gdb', sockets.gdb), '-gdb', 'chardev:gdb'],
    ...[...socket('qmp', sockets.qmp), '-mon', 'chardev=qmp,mode=control'],
    ...[...socket('serial', sockets.serial), '-serial', 'chardev:serial'],
    ...['-device', DEBUG_EXIT, '-device', 'virtio-rng-pci'],
    ...diskArguments(options),
    ...(await bootArguments(options)),
  ];
}

function diskArguments({ disk, persist }: CoreOptions): readonly string[] {
  if (disk === undefined) return [];
  const drive = `file=${disk.replaceAll(',', ',,')},format=raw,if=none,id=disk,snapshot=${persist ? 'off' : 'on'}`;
  return ['-drive', drive, '-device', 'virtio-blk-pci,drive=disk'];
}

async function bootArguments(options: CoreOptions): Promise<readonly string[]> {
  const { program, firmware, boot, commandLine, initrd, modules } = options;
  // Without a screen SeaBIOS prints on the serial port, as it does under our own core.
  if (firmware !== undefined) return ['-bios', firmware, '-machine', 'graphics=off'];
  const choice = parseBootChoice(boot) ?? 'auto';
  const protocol = choice === 'auto' ? ((await isBootSector(program)) ? 'sector' : 'kernel') : choice.protocol;
  switch (protocol) {
    case 'sector':
      return ['-drive', `file=${program.replaceAll(',', ',,')},format=raw,if=ide,snapshot=on`];
    case 'kernel':
    case 'multiboot1':
    case 'linux':
    case 'pvh':
      return [
        ...['-kernel', program],
        ...(commandLine === '' ? [] : ['-append', commandLine]),
        ...initrdArguments(initrd, modules),
      ];
    default:
      throw new TargetError(
        `"boot": QEMU's own loader knows multiboot1, linux, pvh and boot sectors, not ${protocol}. Set "backend": "kvm" for it`,
      );
  }
}

/** QEMU's loader of multiboot kernels takes all modules in one list, with doubled commas in their names. */
function initrdArguments(initrd: string | undefined, modules: readonly string[]): readonly string[] {
  const all = [...(initrd === undefined ? [] : [initrd]), ...modules];
  if (modules.length > 0) return ['-initrd', all.map((module) => module.replaceAll(',', ',,')).join(',')];
  return all.flatMap((file) => ['-initrd', file]);
}

/** 512 bytes or more that end in 0x55 0xaa, and are neither ELF nor Linux. */
async function isBootSector(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1024), 0, 1024, 0);
    const elf = buffer.readUInt32BE(0) === 0x7f454c46;
    const linux = buffer.toString('latin1', 0x202, 0x206) === 'HdrS';
    return bytesRead >= 512 && buffer.readUInt16BE(510) === 0x55aa && !elf && !linux;
  } finally {
    await file.close();
  }
}
