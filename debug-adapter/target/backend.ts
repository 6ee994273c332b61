/** Under what a launched guest runs: our own core on KVM, or a QEMU that is installed. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { arch, platform } from 'node:os';
import type { HostReport } from '../../hypervisor-core/protocol/inspect.ts';
import { type CoreOptions, startCore } from './core-target.ts';
import { CORE_PROGRAM, whyNoCore } from './own-core.ts';
import { QEMU } from './qemu-process.ts';
import { startQemu } from './qemu-target.ts';
import { type Target, TargetError } from './target.ts';

export const BACKENDS = ['auto', 'kvm', 'qemu'] as const;
export type Backend = (typeof BACKENDS)[number];

export interface LaunchOptions extends CoreOptions {
  readonly backend: Backend;
}

const INSTALL = 'install it (Debian, Ubuntu: sudo apt install qemu-system-x86)';

/** `auto`: KVM where it can be used, else QEMU where it is installed. `say` tells the user what was chosen and why. */
export async function startBackend(options: LaunchOptions, say: (text: string) => void): Promise<Target> {
  const coreless = whyNoCore();
  if (options.backend === 'kvm' && coreless) throw new TargetError(`"backend": ${coreless}`);
  if (options.backend === 'kvm' || (options.backend === 'auto' && kvmIsThere())) return startCore(options);
  const without = whyNoQemu();
  if (options.backend === 'qemu') {
    if (without) throw new TargetError(`"backend": ${without}; ${INSTALL}, or set "backend": "kvm"`);
    return startQemu(options);
  }
  if (without && coreless) throw new TargetError(`${coreless} Here the guest runs under QEMU: ${without}; ${INSTALL}.`);
  // The core's own refusal says what is wrong with KVM and what to do.
  if (without) {
    return startCore(options).catch((error: Error) => {
      throw new TargetError(`${error.message} Or run the guest without KVM, under QEMU: ${without}; ${INSTALL}.`);
    });
  }
  say(
    `${whyNoKvm()}\nThe guest runs under QEMU instead, which interprets it (TCG) and shows less: "backend" in launch.json.\n`,
  );
  return startQemu(options);
}

function kvmIsThere(): boolean {
  if (whyNoCore()) return false;
  if (platform() !== 'linux' || arch() !== 'x64') return false;
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the core's host probe says, with its remedy. */
function whyNoKvm(): string {
  const coreless = whyNoCore();
  if (coreless) return coreless;
  const doctor = spawnSync(process.execPath, [CORE_PROGRAM, 'doctor', '--json'], {
    encoding: 'utf8',
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
  });
  try {
    const { problem }: HostReport = JSON.parse(doctor.stdout);
    if (problem) return `${problem.message} ${problem.remedy}`;
  } catch {
    // koffi has no build for this machine, so that the core does not even start.
  }
  return `KVM cannot be used on this machine (${platform()} on ${arch()}).`;
}

function whyNoQemu(): string | undefined {
  if (platform() === 'win32') return `${QEMU} is not yet started by Ringside on Windows: start it yourself and attach`;
  return spawnSync(QEMU, ['--version']).status === 0 ? undefined : `${QEMU} is not installed`;
}
