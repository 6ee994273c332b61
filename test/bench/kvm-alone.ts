/**
 * What KVM alone takes for what a debugger needs, with nobody asking and nothing looked at: the floor under our own figures,
 * which differs much between hosts.
 */
import { KVM } from '../../hypervisor-core/kvm/abi.ts';
import { Kvm } from '../../hypervisor-core/kvm/kvm.ts';
import { ProbeVm } from '../../hypervisor-core/machine/probe-vm.ts';

const TURNS = 10_000;
/** nop; jmp back */
const LOOP = [0x90, 0xeb, 0xfd];
const debug = (control: number) => ({ control, addresses: [], dr7: 0x400n });
const STEP = debug(KVM.GUESTDBG_ENABLE | KVM.GUESTDBG_SINGLESTEP);
const REST = debug(KVM.GUESTDBG_ENABLE);

export interface KvmAlone {
  /** Single steps a second, one after the other. */
  readonly steps: number;
  /** Times a second that a vCPU can come out at a breakpoint and be stepped off it: two exits, and KVM is told to step and not to. */
  readonly stepsOff: number;
}

/** Runs a guest of its own on this thread. Throws where KVM cannot be used. */
export function kvmAlone(): KvmAlone {
  const kvm = new Kvm();
  const vm = new ProbeVm(kvm, kvm.supportedCpuid());
  try {
    vm.prepare(LOOP, 0);
    vm.setDebug(STEP);
    const step = () => {
      const exit = vm.run();
      if (exit.kind !== 'debug') throw new Error(`a step ended in ${JSON.stringify(exit)}`);
    };
    const steps = rate(step);
    const stepsOff = rate(() => {
      vm.setDebug(REST);
      vm.setDebug(STEP);
      step();
      step();
    });
    return { steps, stepsOff };
  } finally {
    vm.close();
    kvm.close();
  }
}

function rate(action: () => void): number {
  const start = performance.now();
  for (let turn = 0; turn < TURNS; turn++) action();
  return (TURNS * 1000) / (performance.now() - start);
}
