/** What the host probe's findings mean for run control. */
import type { HostReport, TrapKind } from '../protocol/inspect.ts';

export interface DebugStrategy {
  /** The byte that a software breakpoint plants; undefined where none leaves the guest. */
  readonly trap: { readonly kind: TrapKind; readonly byte: number } | undefined;
  /** Execute breakpoints in debug registers fire, at least at CPL 0. */
  readonly executeRegisters: boolean;
  /** Data breakpoints in debug registers fire. */
  readonly dataRegisters: boolean;
  /** KVM_GUESTDBG_BLOCKIRQ is known to this kernel. */
  readonly blockInterrupts: boolean;
  /** Supervisor code is interpreted by KVM's emulator. */
  readonly emulatedSupervisor: boolean;
  /** VMCALL comes back to the guest. */
  readonly vmcallReturns: boolean;
}

/** Opcodes: INT3, ICEBP (INT1) and IN AL,DX; Intel SDM vol. 2A. */
const trapBytes: Readonly<Record<TrapKind, number>> = { int3: 0xcc, icebp: 0xf1, 'in-dx': 0xec };

export function debugStrategy(report: HostReport): DebugStrategy {
  const yes = (id: string) => report.facts.some((fact) => fact.id === id && fact.answer === 'yes');
  const { trap } = report;
  return {
    trap: trap === 'none' ? undefined : { kind: trap, byte: trapBytes[trap] },
    executeRegisters: yes('execute-registers'),
    dataRegisters: yes('data-registers'),
    blockInterrupts: yes('block-interrupts'),
    emulatedSupervisor: yes('emulated-supervisor'),
    vmcallReturns: yes('vmcall-returns'),
  };
}
