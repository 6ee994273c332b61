/** Debian's kernel under a QEMU that the adapter starts, with a shell on its console. */
import type { DapClient } from '../../debug-adapter/cli/dap-client.ts';

const setting = (name: string) => process.env[name] ?? '';

/** Files that test/setup/suites.mjs has made. */
export const files = {
  vmlinux: setting('RINGSIDE_VMLINUX'),
  kernel: setting('RINGSIDE_VMLINUZ'),
  initramfs: setting('RINGSIDE_INITRAMFS'),
  /** Modules in the order in which they are to be loaded; the last, virtio_blk.ko, has its debug information. */
  modules: setting('RINGSIDE_MODULES').split(' '),
  /** What Debian 12's crash can read of this kernel: `log`, `tasks`. */
  crashReads: setting('RINGSIDE_CRASH_READS').split(' '),
};

const READY = 'ready for the debugger';

/** Up to `initialized`. */
export async function launchLinux(client: DapClient, attributes: Record<string, unknown> = {}): Promise<void> {
  await client.request('initialize', { adapterID: 'kvm' });
  await client.request('launch', {
    backend: 'qemu',
    program: files.kernel,
    symbols: files.vmlinux,
    initrd: files.initramfs,
    args: 'console=ttyS0 nokaslr',
    memory: '160M',
    ...attributes,
  });
  await client.event('initialized');
}

/** Reads the guest's console until it has said `words`; gives what it said. */
export async function saidOnConsole(client: DapClient, words: string | RegExp = READY): Promise<string> {
  let text = '';
  while (typeof words === 'string' ? !text.includes(words) : !words.test(text)) {
    const { data } = await client.event<{ data: string }>('ringside/console');
    text += Buffer.from(data, 'base64').toString('latin1');
  }
  return text;
}

/** Types a command on the guest's console. */
export async function type(client: DapClient, command: string): Promise<void> {
  await client.request('ringside/consoleInput', { data: Buffer.from(`${command}\n`).toString('base64') });
}
