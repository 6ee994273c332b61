/** A Linux guest under a test's hand: what it prints, what it ends with. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Machine } from '../../hypervisor-core/machine/api.ts';
import { createMachine, type MachineOptions } from '../../hypervisor-core/machine/machine.ts';
import type { GuestEnd } from '../../hypervisor-core/protocol/inspect.ts';

/** Files that test/guests/linux/guest.mjs has made. */
const made = (what: string) => process.env[`RINGSIDE_LINUX_${what}`] ?? '';
export const files = { kernel: made('KERNEL'), initramfs: made('INITRAMFS'), disk: made('DISK') };

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

  static async boot(commandLine: string, options: Partial<MachineOptions> = {}): Promise<LinuxGuest> {
    const boot = {
      name: basename(files.kernel),
      file: readFileSync(files.kernel),
      commandLine,
      initrd: { name: 'initramfs', file: readFileSync(files.initramfs) },
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
  commandLine: string,
  options: Partial<MachineOptions>,
  body: (guest: LinuxGuest) => Promise<void>,
): Promise<void> {
  const guest = await LinuxGuest.boot(commandLine, options);
  try {
    await body(guest);
  } finally {
    await guest.machine.close();
  }
}
