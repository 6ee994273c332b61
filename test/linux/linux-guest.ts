/** A Linux guest under a test's hand: what it prints, what it ends with. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Machine } from '../../hypervisor-core/machine/api.ts';
import { createMachine, type MachineOptions } from '../../hypervisor-core/machine/machine.ts';
import type { BootProtocol } from '../../hypervisor-core/protocol/boot-choice.ts';
import type { GuestEnd } from '../../hypervisor-core/protocol/inspect.ts';

/** Files that test/guests/linux/guest.mjs has made. */
const made = (what: string) => process.env[`RINGSIDE_LINUX_${what}`] ?? '';
export const files = { disk: made('DISK'), symbols: made('SYMBOLS'), build: made('BESIDE') };

/** A kernel as it is booted. */
export interface Kernel {
  readonly kernel: string;
  readonly initramfs: string;
  /** Found out from the file if not said. */
  readonly protocol?: BootProtocol;
}

export const debian: Kernel = { kernel: made('KERNEL'), initramfs: made('INITRAMFS') };

/** The same kernel without its wrapping, by the one boot protocol that needs it so. */
export const debianByPvh: Kernel = { ...debian, kernel: made('VMLINUX'), protocol: 'pvh' };

/** The small Linux, which test/guests/linux/build.mjs builds: as it is packed, and unpacked with its debug information. */
const small = (what: string) => process.env[`RINGSIDE_SMALL_${what}`] ?? '';
const smallInitramfs = small('INITRAMFS');
export const smallLinux = {
  bzImage: { kernel: small('BZIMAGE'), initramfs: smallInitramfs },
  vmlinux: { kernel: small('VMLINUX'), initramfs: smallInitramfs, protocol: 'linux' },
  pvh: { kernel: small('VMLINUX'), initramfs: smallInitramfs, protocol: 'pvh' },
} satisfies Record<string, Kernel>;

/** A first file system that only switches off, in place of busybox's. */
export const shortInitramfs = small('SHORT_INITRAMFS');

/** QEMU's TCG lets a nested guest set XCR0 unseen by KVM, whose CPUID leaf 0xd is then wrong: Linux dies of it. */
export const HIDDEN = ['xsave'];
export const cpu = { hide: HIDDEN, expose: [] };
export const options = { disk: { path: files.disk, persist: false }, cpu };
export const COMMAND_LINE = 'console=ttyS0 tsc=reliable no_timer_check nokaslr';

export class LinuxGuest {
  readonly machine: Machine;
  readonly end: Promise<GuestEnd>;
  #text = '';
  #pausing = false;

  private constructor(machine: Machine) {
    this.machine = machine;
    machine.console.onOutput((data) => {
      this.#text += Buffer.from(data).toString('latin1');
    });
    this.end = new Promise((resolve, reject) => {
      machine.onState((state) => state.kind === 'ended' && resolve(state.end));
      machine.onStop(({ reason }) => {
        if (!this.#pausing) reject(new Error(`stopped: ${JSON.stringify(reason)}\n${this.#text}`));
      });
    });
  }

  static async boot(
    { kernel, initramfs, protocol }: Kernel,
    commandLine: string,
    options: Partial<MachineOptions> = {},
  ): Promise<LinuxGuest> {
    const boot = {
      name: basename(kernel),
      file: readFileSync(kernel),
      commandLine,
      initrd: { name: 'initramfs', file: readFileSync(initramfs) },
      ...(protocol && { protocol }),
    };
    const guest = new LinuxGuest(await createMachine({ boot, memory: 512 << 20, cpus: 1, ...options }));
    guest.resume();
    return guest;
  }

  get text(): string {
    return this.#text;
  }

  /** What the first process said, line by line. */
  get said(): string[] {
    return [...this.#text.matchAll(/guest: ([^\r\n]*)/g)].map(([, line = '']) => line);
  }

  /** Resolves with all that it printed when it has powered itself off, without anything that a kernel complains about. */
  async poweredOff(): Promise<string> {
    const { cause } = await this.end;
    assert.equal(cause, 'power-off', this.text);
    assert.doesNotMatch(this.text, /Oops|BUG:|Call Trace|Kernel panic/);
    return this.text;
  }

  /** Resolves when the guest has printed something, or has ended. */
  async printed(words: string): Promise<void> {
    let ended = false;
    const end = this.end.then(() => {
      ended = true;
    });
    while (!ended && !this.#text.includes(words)) {
      const more = new Promise<void>((resolve) => {
        const listener = this.machine.console.onOutput(() => {
          listener.dispose();
          resolve();
        });
      });
      await Promise.race([more, end]);
    }
  }

  async pause(): Promise<void> {
    this.#pausing = true;
    const stopped = new Promise<void>((resolve) => {
      const listener = this.machine.onStop(() => {
        listener.dispose();
        resolve();
      });
    });
    this.machine.interrupt();
    await stopped;
    this.#pausing = false;
  }

  resume(): void {
    this.machine.resume(this.machine.vcpus.map(({ index }) => ({ vcpu: index, action: { kind: 'continue' } })));
  }
}

/** Boots a guest, and closes it whatever happens. */
export async function withLinux(
  kernel: Kernel,
  commandLine: string,
  options: Partial<MachineOptions>,
  body: (guest: LinuxGuest) => Promise<void>,
): Promise<void> {
  const guest = await LinuxGuest.boot(kernel, commandLine, options);
  try {
    await body(guest);
  } finally {
    await guest.machine.close();
  }
}
