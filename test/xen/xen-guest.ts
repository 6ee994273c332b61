/** Debian's Xen with Debian's Linux as its first domain, under the adapter and under QEMU. */
import { type CoreAdapter, coreAdapter } from '../adapter/core-adapter.ts';
import { qemuLog } from '../linux/qemu-log.ts';
import { patience } from '../patience.ts';

const setting = (name: string) => process.env[`RINGSIDE_XEN${name}`] ?? '';

/** Files that test/guests/xen/guest.mjs has made. */
export const files = {
  xen: setting(''),
  symbols: setting('_SYMBOLS'),
  kernel: setting('_DOM0'),
  kernelSymbols: setting('_DOM0_SYMBOLS'),
  initramfs: setting('_INITRAMFS'),
};

/** The guest runs on KVM, or where that is asked for under a QEMU of the adapter's. */
export const backend = process.env['RINGSIDE_BACKEND'] === 'qemu' ? 'qemu' : 'kvm';

/** Milliseconds for all of it, by `patience`: on a busy emulated host it took nearly ten minutes. */
export const LONGEST = 200_000;

/** MiB. */
const MEMORY = 768;

/**
 * QEMU's TCG lets a nested guest set XCR0 unseen by KVM, and reads the stack for an IRET of user code as a supervisor: with
 * SMAP, an early one of a paravirtual kernel faults, and Xen ends the domain (`Unhandled: vec 14, #PF[0001]`).
 */
const HIDDEN = ['xsave', 'smap'];
const XEN = 'console=com1 com1=115200 loglvl=all';
/** Its watchdogs, in seconds, wait as much longer as the machine may be slower than a real one. */
const WATCHDOGS = `rcupdate.rcu_cpu_stall_timeout=${patience(21)} watchdog_thresh=${patience(10)}`;
const DOM0 = `console=hvc0 nokaslr ${WATCHDOGS}`;

export class XenGuest {
  readonly adapter: CoreAdapter = coreAdapter({ longest: LONGEST });
  #log = '';

  /** Launches Xen and leaves it before its first instruction. */
  async launch(): Promise<void> {
    const { client } = this.adapter;
    client.onMessage = (message) => {
      if (message.type !== 'event' || !('event' in message) || message.event !== 'ringside/console') return;
      const { body } = message as unknown as { body: { data: string } };
      this.#log += Buffer.from(body.data, 'base64').toString('latin1');
    };
    await client.request('initialize', { adapterID: 'kvm' });
    await client.request('launch', {
      ...{ backend, program: files.xen, symbols: files.symbols, memory: `${MEMORY}M` },
      // Xen takes the first word for its file's name, but from GRUB; in real mode it would call a BIOS.
      args: `xen no-real-mode ${XEN}`,
      modules: [`${files.kernel} ${DOM0} guest=wait`, files.initramfs],
      ...(files.kernelSymbols !== '' && { moreSymbols: [files.kernelSymbols] }),
      // QEMU's own processor has neither.
      ...(backend === 'kvm' && { cpu: { hide: HIDDEN } }),
    });
    await client.event('initialized');
  }

  /** All that Xen and its first domain have said on the serial port so far. */
  get log(): string {
    return this.#log;
  }

  /** Waits until the guest has said `words`. */
  async printed(words: string): Promise<void> {
    while (!this.#log.includes(words)) await this.adapter.client.event('ringside/console');
  }
}

/** What the same Xen and first domain say under QEMU with the same KVM: as modules, QEMU takes a list. */
export const xenUnderQemu = (): string =>
  qemuLog({ kernel: files.xen, initramfs: `${files.kernel} ${DOM0},${files.initramfs}` }, XEN, {
    hide: HIDDEN,
    memory: MEMORY,
  });

/**
 * What has to be the same on any PC with the same KVM and processor, without addresses that depend on how much RAM is left, and
 * without what the test does at Xen's own console.
 */
export const SHARED = [
  /^\(XEN\) (Xen version|build-id|CPU Vendor|Using scheduler|SVM:|HVM:|NX|\*\*\* (?!Serial input to Xen)|Dom0 has maximum|Brought up|Entering)/,
  /^\(XEN\) +(Compiled-in|Xen settings|XPTI|PV L1TF|Xen +kernel|Dom0 kernel|Loaded kernel|TOTAL|ENTRY)/,
  /^(Hypervisor detected|Booting kernel on|Xen version|Freeing unused|Write protecting|Run \/init|guest: processors)/,
];
