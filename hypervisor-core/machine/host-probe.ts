/**
 * What this host's KVM really does, found out by running a few instructions, because KVMs differ in what they promise
 * and what they keep. The answers choose strategies (strategy.ts), mask CPUID and are part of every bug report.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { arch, platform, release } from 'node:os';
import { Kvm } from '../kvm/kvm.ts';
import { SystemError } from '../kvm/libc.ts';
import type { HostFact, HostProblem, HostReport } from '../protocol/inspect.ts';
import { factsOf, trapOf } from './probe-questions.ts';

let known: HostReport | undefined;

/** Asks once a process; a host that lacks something gets a report with `problem`, never an exception. */
export function probeHost(): HostReport {
  known ??= probe();
  return known;
}

function probe(): HostReport {
  const about = { module: moduleName(), kernel: release(), apiVersion: 0, trap: 'none' as const };
  const refused = (problem: HostProblem): HostReport => ({ ...about, ok: false, problem, facts: [] });
  const problem = platformProblem() ?? deviceProblem();
  if (problem) return refused(problem);
  try {
    const kvm = new Kvm();
    try {
      const facts: readonly HostFact[] = factsOf(kvm);
      return { ...about, ok: true, apiVersion: kvm.apiVersion, trap: trapOf(facts), facts };
    } finally {
      kvm.close();
    }
  } catch (error) {
    return refused(openProblem(error));
  }
}

function platformProblem(): HostProblem | undefined {
  if (platform() !== 'linux') {
    return {
      id: 'not-linux',
      message: `Ringside runs guests on Linux's KVM; this is ${platform()}.`,
      remedy: 'Open the folder on a Linux machine, over Remote - SSH for instance.',
    };
  }
  if (arch() === 'x64') return undefined;
  return {
    id: 'not-x86-64',
    message: `Ringside runs x86-64 guests and needs an x86-64 processor; this one is ${arch()}.`,
    remedy: 'Open the folder on an x86-64 Linux machine, over Remote - SSH for instance.',
  };
}

function deviceProblem(): HostProblem | undefined {
  if (!existsSync('/dev/kvm')) {
    return {
      id: 'no-device',
      message: 'There is no /dev/kvm.',
      remedy:
        'Turn on virtualization (VT-x or SVM) in the firmware, or nested virtualization for this virtual machine, and load the module: sudo modprobe kvm_intel or kvm_amd.',
    };
  }
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return noPermission();
  }
}

const noPermission = (): HostProblem => ({
  id: 'no-permission',
  message: 'This user may not use /dev/kvm; it belongs to the group kvm.',
  remedy: 'Run `sudo usermod -aG kvm $USER`, then log out and in again.',
});

function openProblem(error: unknown): HostProblem {
  if (error instanceof SystemError && (error.code === 'EACCES' || error.code === 'EPERM')) return noPermission();
  return {
    id: 'kvm-failed',
    message: `KVM does not work: ${error instanceof Error ? error.message : String(error)}.`,
    remedy: 'See `dmesg | grep -i kvm`; another hypervisor may hold the processor, or virtualization is off.',
  };
}

/** The module that brings KVM to this processor, loaded or built in. */
function moduleName(): string {
  return ['kvm_pvm', 'kvm_amd', 'kvm_intel'].find((name) => existsSync(`/sys/module/${name}`)) ?? 'unknown';
}
