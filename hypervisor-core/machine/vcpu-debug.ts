/**
 * The debugger's hand on one vCPU, on its worker: what KVM_SET_GUEST_DEBUG was last told, whether a breakpoint that was run
 * into stops the guest, and the way past one that does not.
 */

import { OFFSET } from '../kvm/abi.ts';
import type { RunPage, SyncRegister } from '../kvm/run-page.ts';
import type { KvmVcpu } from '../kvm/vcpu.ts';
import { bytesToHex } from '../protocol/rsp.ts';
import { type AgentVariables, agentContext } from './agent-context.ts';
import type { CallRecorder } from './call-recorder.ts';
import { callRegisters } from './call-registers.ts';
import { type ConditionContext, judge } from './conditions.ts';
import { type DebugPlan, emptyPlan, IDT_BYTES, reportedRegister } from './debug-plan.ts';
import { guestDebug } from './guest-debug.ts';
import { dropQueuedUndefinedOpcode, inDelivery, nmiWaits } from './guest-events.ts';
import type { RamFile } from './guest-ram.ts';
import { InterruptHold } from './interrupt-hold.ts';
import { linearPc } from './linear-pc.ts';
import type { RunMode } from './mailbox.ts';
import { walkPages } from './page-runs.ts';
import { hideTraps } from './planted-traps.ts';
import type { RamAtomics } from './ram-atomics.ts';
import { RegisterAccess } from './register-access.ts';
import type { Rendezvous } from './rendezvous.ts';
import type { SharedLock } from './shared-lock.ts';
import type { DebugStrategy } from './strategy.ts';
import type { VcpuReport } from './vcpu-report.ts';

export interface VcpuDebugParts {
  readonly vcpu: KvmVcpu;
  readonly page: RunPage;
  readonly ram: RamFile;
  readonly atomics: RamAtomics;
  readonly strategy: DebugStrategy;
  readonly rendezvous: Rendezvous;
  readonly variables: AgentVariables;
  /** Held while conditions are evaluated, so that what they count comes out right. */
  readonly lock: SharedLock;
  readonly print: (text: string) => void;
  /** Makes what traces calls to a hypervisor in the guest, which reads the guest's memory by what it is given. */
  readonly recorder: (memory: (gva: bigint, length: number) => Uint8Array) => CallRecorder;
}

const BP_VECTOR = 3;
const IDT_BASE = OFFSET.kvm_sregs.idt + OFFSET.kvm_dtable.base;
const INTERRUPT_FLAG = 1n << 9n;

export class VcpuDebug {
  readonly #parts: VcpuDebugParts;
  readonly #registers: RegisterAccess;
  readonly #context: ConditionContext;
  #plan: DebugPlan = emptyPlan;
  /** What KVM was told last, to spare it the same again. */
  #told = '';
  readonly #hold = new InterruptHold();
  readonly #calls: CallRecorder;

  constructor(parts: VcpuDebugParts) {
    this.#parts = parts;
    this.#registers = new RegisterAccess(parts.vcpu);
    const source = {
      register: (name: string) => this.#register(name),
      memory: (gva: bigint, length: number) => this.#memory(gva, length),
      print: parts.print,
    };
    this.#context = agentContext(source, parts.variables);
    this.#calls = parts.recorder(source.memory);
  }

  get plan(): DebugPlan {
    return this.#plan;
  }

  /** Before a run as ordered, under a new plan where there is one. */
  begin(mode: RunMode, plan = this.#plan): void {
    if (plan !== this.#plan) {
      if (plan.delivering === 'interrupt') this.#hold.begin();
      this.#plan = plan;
      this.#calls.follow(plan);
    }
    this.#calls.recall();
    // Where most stops need them: a call into KVM for them takes longer than the copy.
    this.#parts.page.sync(mode.kind !== 'continue' || this.#parts.strategy.emulatedSupervisor);
  }

  /** Tells KVM how the vCPU is to run; `without` is an address whose debug registers are left out. */
  prepare(mode: RunMode, without?: bigint): void {
    const { vcpu, strategy } = this.#parts;
    const registers = this.#plan.registers.filter(({ type, address }) => type !== 'execute' || address !== without);
    const debug = guestDebug({ ...this.#plan, registers }, strategy, mode, this.#spared);
    const told = `${debug.control} ${debug.dr7} ${debug.addresses.join()}`;
    // A processor steps by RFLAGS.TF, which KVM takes away whenever it has carried an instruction out itself, or registers
    // are set, at another RIP than that of this call. A KVM that interprets looks at what it was told.
    if (told === this.#told && (mode.kind === 'continue' || strategy.emulatedSupervisor)) return;
    vcpu.setGuestDebug(debug);
    this.#told = told;
  }

  /**
   * How a vCPU that has come out for no reason of its own fares with interrupts: KVM tries again and again to write the
   * frame of one to a read-only page, and only newer ones come out of that by themselves. One that interprets supervisor
   * code loses it instead (lost-event.ts).
   */
  delivery(): VcpuReport | undefined {
    const { vcpu, page, strategy } = this.#parts;
    const { watches, delivering } = this.#plan;
    if (watches.length === 0 && delivering === undefined) return undefined;
    const events = vcpu.get('vcpu_events');
    const vector = inDelivery(events);
    if (delivering !== undefined) return vector === undefined ? { kind: 'delivered' } : undefined;
    if (vector !== undefined) return { kind: 'undelivered', vector };
    // NMIs are rare, and a guest may wait for one with all other interrupts off.
    const interruptible = nmiWaits(events) || (page.register('rflags') & INTERRUPT_FLAG) !== 0n;
    if (strategy.emulatedSupervisor) return interruptible ? { kind: 'interruptible' } : undefined;
    this.#hold.look(interruptible);
    return undefined;
  }

  /** Whether interrupts are held off: while pages are watched, at least for a while. */
  get #spared(): boolean {
    const { watches, delivering } = this.#plan;
    if (this.#parts.strategy.emulatedSupervisor) return watches.length > 0;
    return this.#hold.active && (watches.length > 0 || delivering !== undefined);
  }

  /** True when the guest has another IDT than traps were placed by, or other gates in it. */
  get idtHasChanged(): boolean {
    const { idt } = this.#plan;
    if (!idt) return false;
    const base = this.#parts.vcpu.get('sregs').getBigUint64(IDT_BASE, true);
    return base !== idt.base || bytesToHex(this.#memory(base, IDT_BYTES)) !== idt.gates;
  }

  /** The address of the conditional breakpoint that this report is about; undefined when it is about something else. */
  conditionalAt(report: VcpuReport): bigint | undefined {
    const pc = this.#breakpointOf(report);
    return pc !== undefined && this.#plan.conditional.has(pc) ? pc : undefined;
  }

  /** What the vCPU, which has run into the conditional breakpoint at `pc`, says there; undefined when it goes on. */
  decide(pc: bigint): VcpuReport | undefined {
    this.#dropTrap();
    this.#registers.forget();
    const { page, lock } = this.#parts;
    const recorded = this.#visit(pc, (name) => page.register(name));
    if (recorded?.kind === 'call-returns') return recorded;
    const { stops, problem } = lock.hold(() => judge(this.#plan.conditional.get(pc) ?? [], this.#context));
    return stops ? { kind: 'breakpoint', pc, ...(problem !== undefined && { problem }) } : recorded;
  }

  /** The vCPU has come out of the guest, perhaps of where it stood. */
  cameOut(): void {
    const { page } = this.#parts;
    if (this.#calls.active) this.#calls.standsAt(page.register('rip'), () => page.register('rax'));
  }

  /** The guest has ended: calls will not return. */
  ended(): void {
    this.#calls.giveUp();
  }

  /** A vCPU that is to step may stand where a call begins or has returned, having been stepped there past no trap. */
  arrive(): VcpuReport | undefined {
    if (!this.#calls.active) return undefined;
    const registers = this.#parts.vcpu.get('regs');
    const value = (name: SyncRegister) => registers.getBigUint64(OFFSET.kvm_regs[name], true);
    const recorded = this.#visit(value('rip'), value);
    return recorded?.kind === 'call-returns' ? recorded : undefined;
  }

  #visit(rip: bigint, register: (name: SyncRegister) => bigint): VcpuReport | undefined {
    const general = () => callRegisters(register, this.#parts.vcpu.get('sregs'));
    return this.#calls.visit({ rip, rsp: register('rsp'), rdi: register('rdi'), general });
  }

  /** Runs `step`, which executes one instruction, as if there were no breakpoint at `pc`. */
  stepOff(pc: bigint, step: () => VcpuReport): VcpuReport {
    const planned = this.#plan.trapAddresses.get(pc);
    this.prepare({ kind: 'step' }, pc);
    const after = this.#uncovered(planned ?? this.#place(pc), step);
    if (planned === undefined || this.#breakpointOf(after) !== pc) return after;
    // The guest has moved its code since the plan was made, and the trap along with it.
    this.#dropTrap();
    return this.#uncovered(this.#place(pc), step);
  }

  #uncovered(gpa: number, step: () => VcpuReport): VcpuReport {
    const { atomics, rendezvous } = this.#parts;
    const { trap, traps } = this.#plan;
    const hidden = traps.get(gpa);
    if (trap === undefined || hidden === undefined) return step();
    return rendezvous.alone(() => {
      if (!atomics.exchange(gpa, trap.byte, hidden)) return step();
      try {
        return step();
      } finally {
        // An instruction that has written over itself keeps what it wrote; the trap comes back when the plan is next made.
        atomics.exchange(gpa, hidden, trap.byte);
      }
    });
  }

  /** A KVM that interprets has queued an exception for the trap. */
  #dropTrap(): void {
    const { vcpu, page, strategy } = this.#parts;
    if (strategy.emulatedSupervisor) dropQueuedUndefinedOpcode(vcpu, page.events);
  }

  /** Guest-physical address behind `pc`; -1 where nothing is mapped. */
  #place(pc: bigint): number {
    return Number(this.#parts.vcpu.translate(pc) ?? -1n);
  }

  #breakpointOf(report: VcpuReport): bigint | undefined {
    const { page, strategy } = this.#parts;
    if (report.kind === 'trapped') return report.pc;
    if (report.kind === 'emulation-failure') {
      if (!strategy.emulatedSupervisor || this.#plan.conditional.size === 0) return undefined;
      const pc = linearPc(page.sregs, page.register('rip'));
      return this.#plan.trapAddresses.has(pc) || this.#plan.traps.has(this.#place(pc)) ? pc : undefined;
    }
    if (report.kind !== 'debug') return undefined;
    const register = report.exception === BP_VECTOR ? undefined : reportedRegister(this.#plan, report.dr6);
    return register === undefined || register.type === 'execute' ? report.pc : undefined;
  }

  /** General registers lie in the run page already. */
  #register(name: string): bigint {
    const { page } = this.#parts;
    if (name === 'eflags') return page.register('rflags');
    return name in OFFSET.kvm_regs ? page.register(name as SyncRegister) : this.#registers.get(name);
  }

  #memory(gva: bigint, length: number): Uint8Array {
    const { vcpu, ram } = this.#parts;
    const pieces: Uint8Array[] = [];
    walkPages(
      (at) => vcpu.translate(at),
      gva,
      length,
      (gpa, size) => {
        const bytes = ram.read(gpa, size);
        hideTraps(bytes, gpa, this.#plan);
        pieces.push(bytes);
        return bytes.length;
      },
    );
    return pieces.length === 1 && pieces[0] ? pieces[0] : new Uint8Array(Buffer.concat(pieces));
  }
}
