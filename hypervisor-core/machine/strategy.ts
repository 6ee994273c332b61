/** What the host probe's findings mean for run control. */
import type { HostReport, TrapKind } from '../protocol/inspect.ts';

/** The exception that a trap byte raises at CPL 3: INT3 #BP, ICEBP #DB, and IN without the right to use ports #GP. */
const userVectors: Readonly<Record<TrapKind, number>> = { int3: 3, icebp: 1, 'in-dx': 13 };

export interface DebugStrategy {
  /** The byte that a software breakpoint plants; undefined where none leaves the guest. */
  readonly trap: { readonly kind: TrapKind; readonly byte: number } | undefined;
  /** Execute breakpoints in debug registers fire, at least at CPL 0. */
  readonly executeRegisters: boolean;
  /** Data breakpoints in debug registers fire. */
  readonly dataRegisters: boolean;
  /** The vector that a trap byte raises at CPL 3; undefined where the byte leaves the guest there too. */
  readonly userVector: number | undefined;
  /** Single steps at CPL 3 work as they do at CPL 0. */
  readonly userSteps: boolean;
  /** KVM_GUESTDBG_BLOCKIRQ is known to this kernel. */
  readonly blockInterrupts: boolean;
  /**
   * KVM_GUESTDBG_BLOCKIRQ may stay on while the guest runs. Where data breakpoints fire there is seldom a need, and an
   * emulated VT-x machine stood still for ever with it, so it is used only where pages stand in for all of them.
   */
  readonly sparesInterrupts: boolean;
  /** Supervisor code is interpreted by KVM's emulator. */
  readonly emulatedSupervisor: boolean;
  /** Guests may use 32-bit and PAE page tables. */
  readonly paging32: boolean;
  /** VMCALL comes back to the guest. */
  readonly vmcallReturns: boolean;
  /** After a triple fault the vCPU still has the registers of the moment; else it is as after INIT (AMD APM vol. 2, 15.14.3). */
  readonly shutdownKeepsRegisters: boolean;
  /** KVM keeps Hyper-V's synthetic MSRs. */
  readonly hypervMsrs: boolean;
}

/**
 * Opcodes: INT3, ICEBP (INT1) and IN EAX,DX; Intel SDM vol. 2A. Ports of the chips in the kernel do not leave KVM, but an
 * access that is wider than their registers passes them by: of all values of DX only 0x40 (PIT) and 0x61 (speaker) are deaf.
 */
const trapBytes: Readonly<Record<TrapKind, number>> = { int3: 0xcc, icebp: 0xf1, 'in-dx': 0xed };

export function debugStrategy(report: HostReport): DebugStrategy {
  const yes = (id: string) => report.facts.some((fact) => fact.id === id && fact.answer === 'yes');
  const { trap } = report;
  return {
    trap: trap === 'none' ? undefined : { kind: trap, byte: trapBytes[trap] },
    executeRegisters: yes('execute-registers'),
    dataRegisters: yes('data-registers'),
    userVector: trap === 'none' || yes('trap-cpl3') ? undefined : userVectors[trap],
    userSteps: yes('singlestep-cpl3'),
    blockInterrupts: yes('block-interrupts'),
    sparesInterrupts: yes('block-interrupts') && !yes('data-registers'),
    emulatedSupervisor: yes('emulated-supervisor'),
    paging32: yes('paging-32'),
    vmcallReturns: yes('vmcall-returns'),
    shutdownKeepsRegisters: yes('shutdown-keeps-registers'),
    hypervMsrs: yes('hyperv-msrs'),
  };
}
