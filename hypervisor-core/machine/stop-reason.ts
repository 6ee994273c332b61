/** Makes a stop that a debugger understands of what a vCPU's worker reports, or sees that it is none. */
import { waitingVector } from '../interrupts/priority.ts';
import { vectorName } from '../interrupts/vectors.ts';
import { hex } from '../protocol/hex.ts';
import type { Stop } from './api.ts';
import type { Claim } from './breakpoint-list.ts';
import type { Breakpoints } from './breakpoints.ts';
import type { Verdict } from './conditions.ts';
import { clearFrameTrapFlag, frameText } from './exception-frame.ts';
import { dropQueuedUndefinedOpcode, injectException } from './guest-events.ts';
import { instructionText } from './instruction-text.ts';
import { codeBits } from './linear-pc.ts';
import { leaveDoubleFault, queueLostEvent } from './lost-event.ts';
import type { MachineVcpu } from './machine-vcpu.ts';
import type { DebugStrategy } from './strategy.ts';
import { tripleFaultText } from './triple-fault.ts';
import { leaveGate } from './user-gate.ts';
import type { VcpuReport } from './vcpu-report.ts';
import type { VirtualMemory } from './virtual-memory.ts';

/**
 * `go-on`: nothing happened that anybody asked for. `step-off`: the same, but the vCPU stands on a trap. `arm`: the same,
 * but traps have to be put in place anew. `deliver`: with the pages of watched bytes writable, the vCPU is to take an
 * interrupt, or what it could not do while they were not.
 */
type Finding =
  | Stop['reason']
  | 'go-on'
  | 'step-off'
  | 'arm'
  | { readonly kind: 'deliver'; readonly vector: number | undefined }
  | undefined;

export interface StopContext {
  readonly breakpoints: Breakpoints;
  readonly strategy: DebugStrategy;
  readonly memory: VirtualMemory;
  /** Evaluates what was asked of a breakpoint that a vCPU stands on. */
  readonly judge: (vcpu: MachineVcpu, claims: readonly Claim[]) => Verdict;
  /** Has what is called traced where it returns, too. */
  readonly returnsTo: (address: bigint) => void;
}

const DB_VECTOR = 1;
const BP_VECTOR = 3;
const INT3 = 0xcc;
const DR6_SINGLE_STEP = 1n << 14n;

export function classify(vcpu: MachineVcpu, report: VcpuReport, context: StopContext): Finding {
  const { breakpoints } = context;
  switch (report.kind) {
    case 'interrupted':
    case 'end':
      return undefined;
    case 'idt-changed':
      return 'arm';
    case 'call-returns':
      context.returnsTo(report.address);
      return 'arm';
    case 'undelivered':
      return { kind: 'deliver', vector: report.vector };
    case 'interruptible': {
      const vector = waitingVector(vcpu.interrupts());
      return vector === undefined ? 'go-on' : { kind: 'deliver', vector };
    }
    case 'delivered':
    case 'stepped':
      return afterStep(breakpoints);
    case 'breakpoint':
      return {
        kind: 'breakpoint',
        address: report.pc,
        hardware: breakpoints.isHardware(report.pc),
        ...(report.problem !== undefined && { problem: report.problem }),
      };
    case 'event':
      return { kind: 'event', message: report.message };
    case 'trapped':
      return atTrap(vcpu, report.pc, context) ?? 'go-on';
    case 'debug':
      return report.exception === BP_VECTOR
        ? (atTrap(vcpu, report.pc, context) ?? reflect(vcpu, BP_VECTOR))
        : debugException(vcpu, report, context);
    case 'written': {
      const address = breakpoints.watched(report.gpa, report.size);
      return address === undefined ? 'go-on' : { kind: 'watchpoint', address, access: 'write', value: report.value };
    }
    case 'emulation-failure': {
      const finding = emulationFailure(vcpu, report.instruction, context);
      const failed = typeof finding === 'object' && finding.kind === 'emulation-failure';
      // KVM interprets whatever writes to a watched page, and the instruction that an exception's frame is written for.
      return failed && breakpoints.holdsPages ? { kind: 'deliver', vector: undefined } : finding;
    }
    case 'internal-error':
      return { kind: 'internal-error', message: `The guest stopped at ${hex(vcpu.pc)}: ${report.message}.` };
    case 'triple-fault':
      return unwritable(vcpu, context) ?? { kind: 'triple-fault', message: tripleFaultText(vcpu, context) };
  }
}

/** What looks like a triple fault where KVM itself could not write an interrupt's frame; a real one comes again. */
function unwritable(vcpu: MachineVcpu, { breakpoints, strategy }: StopContext): Finding {
  if (!strategy.emulatedSupervisor || !breakpoints.holdsPages) return undefined;
  return { kind: 'deliver', vector: queueLostEvent(vcpu) };
}

/** A trap instruction was run into at `pc`: ours for this address, ours for another name of the same byte, or not ours. */
function atTrap(vcpu: MachineVcpu, pc: bigint, context: StopContext): Finding {
  const { breakpoints, strategy, memory } = context;
  if (strategy.userVector !== undefined && breakpoints.handlers.isUserGate(pc)) {
    const left = leaveGate(vcpu, memory, strategy.userVector, (address) => breakpoints.isPlanted(address));
    if (left === 'stepped') return { kind: 'step' };
    if (left !== undefined) return atUserTrap(vcpu, left, context);
    return exceptionAt(vcpu, pc, context) ?? 'step-off';
  }
  if (breakpoints.handlers.isStackGate(pc) && leaveDoubleFault(vcpu, memory)) {
    return { kind: 'deliver', vector: queueLostEvent(vcpu) };
  }
  const landing = breakpoints.handlers.landing(pc);
  // Also where the handler begins with a breakpoint of somebody's.
  if (landing?.stepped) clearFrameTrapFlag(vcpu, memory, landing.vector);
  if (landing && !breakpoints.wants(pc)) return exceptionAt(vcpu, pc, context) ?? afterStep(breakpoints);
  const exception = breakpoints.wants(pc) ? undefined : exceptionAt(vcpu, pc, context);
  if (exception) return exception;
  const control = breakpoints.wants(pc) ? undefined : breakpoints.controls.message(vcpu);
  if (control !== undefined) return { kind: 'event', message: control };
  if (breakpoints.isPlanted(pc)) return { kind: 'breakpoint', address: pc, hardware: false };
  return breakpoints.isAlias(pc, vcpu.translate(pc)) ? 'step-off' : undefined;
}

/** Writing an interrupt's frame is a step of the vCPU's, too, and may have been what a watchpoint waits for. */
function afterStep({ changedUnwatched: address }: Breakpoints): Finding {
  return address === undefined ? { kind: 'step' } : { kind: 'watchpoint', address, access: 'write' };
}

/** The vCPU stands before the guest's handler of an exception that it is to be stopped on. */
function exceptionAt(vcpu: MachineVcpu, pc: bigint, { breakpoints, memory }: StopContext): Finding {
  const vectors = breakpoints.handlers.exceptionsAt(pc);
  if (vectors.length === 0) return undefined;
  const [vector = 0] = vectors;
  const names = vectors.map((each) => vectorName(each)).join(' or ');
  const frame = vectors.length === 1 ? frameText(vcpu, memory, vector) : '';
  return { kind: 'event', message: `The guest takes ${names}${frame}.`, vectors };
}

/** A trap in user code, which its worker does not see: conditions are evaluated here. */
function atUserTrap(vcpu: MachineVcpu, address: bigint, { breakpoints, judge }: StopContext): Finding {
  const claims = breakpoints.conditional(address);
  const { stops, problem } = claims ? judge(vcpu, claims) : { stops: true, problem: undefined };
  if (!stops) return 'step-off';
  return { kind: 'breakpoint', address, hardware: false, ...(problem !== undefined && { problem }) };
}

/** Lets the guest have its own exception. */
function reflect(vcpu: MachineVcpu, vector: number): 'go-on' {
  injectException(vcpu.kvm, vector);
  return 'go-on';
}

function debugException(
  vcpu: MachineVcpu,
  { pc, dr6 }: { readonly pc: bigint; readonly dr6: bigint },
  context: StopContext,
): Finding {
  const { breakpoints } = context;
  const register = breakpoints.hit(dr6);
  if (register?.type === 'execute') {
    return { kind: 'breakpoint', address: pc, hardware: breakpoints.isHardware(pc) };
  }
  if (register) {
    return { kind: 'watchpoint', address: register.address, access: breakpoints.watchKind(register.address) };
  }
  // ICEBP is reported as #DB without a bit in DR6, with RIP on the instruction.
  return atTrap(vcpu, pc, context) ?? ((dr6 & DR6_SINGLE_STEP) !== 0n ? { kind: 'step' } : reflect(vcpu, DB_VECTOR));
}

function emulationFailure(vcpu: MachineVcpu, instruction: Uint8Array, context: StopContext): Finding {
  dropQueuedUndefinedOpcode(vcpu.kvm);
  const { pc } = vcpu;
  const trap = atTrap(vcpu, pc, context);
  if (trap) return trap;
  if (instruction[0] === INT3 && context.strategy.emulatedSupervisor) {
    // The processor's #BP points behind the instruction; here nothing has been executed yet.
    vcpu.registers.put('rip', vcpu.registers.get('rip') + 1n);
    return reflect(vcpu, BP_VECTOR);
  }
  return {
    kind: 'emulation-failure',
    message: `KVM cannot emulate ${describe(instruction, codeBits(vcpu.registers.state('sregs')))} at ${hex(pc)}. ${
      context.strategy.emulatedSupervisor
        ? 'This KVM interprets supervisor code and lacks this instruction: build the guest without it, or use a host with VT-x or SVM.'
        : 'KVM had to interpret it, as it does for accesses to device memory, and lacks it.'
    }`,
    instruction,
  };
}

/** The instruction's name and bytes, as far as KVM handed them out. */
function describe(instruction: Uint8Array, bits: 16 | 32 | 64): string {
  if (instruction.length === 0) return 'the instruction';
  const bytes = Array.from(instruction, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `\`${instructionText(instruction, bits) ?? 'an unknown instruction'}\` (${bytes})`;
}
