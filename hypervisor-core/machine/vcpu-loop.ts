/**
 * The run loop of one vCPU, on its worker: enter the guest, handle the exit here, enter again, until there is something
 * that the main thread must decide. Exits that KVM completes at the next entry (port and memory accesses) are always
 * completed before the vCPU parks: the loop then enters once more with `immediate_exit` set.
 */
import { BIOS_PORT } from '../devices/bios/layout.ts';
import { HYPERCALL_PORT } from '../hypercalls/hypercall-page.ts';
import { KVM, OFFSET } from '../kvm/abi.ts';
import type { KickReceiver } from '../kvm/kick.ts';
import { EINTR } from '../kvm/libc.ts';
import type { RunPage } from '../kvm/run-page.ts';
import { type KvmVcpu, runVcpu } from '../kvm/vcpu.ts';
import type { GuestEnd } from '../protocol/inspect.ts';
import type { BiosServer } from './bios-server.ts';
import { isWatched, reportedRegister } from './debug-plan.ts';
import type { ExitRecorder } from './exit-recorder.ts';
import type { RamFile } from './guest-ram.ts';
import type { Halts } from './halts.ts';
import type { HypercallServer } from './hypercall-server.ts';
import type { Interpreter } from './interpreter/interpreter.ts';
import { linearPc } from './linear-pc.ts';
import type { Mailbox, RunMode } from './mailbox.ts';
import { PAGE } from './memory-slots.ts';
import type { PortBus } from './port-bus.ts';
import type { Rendezvous } from './rendezvous.ts';
import { accessStop, hypercallStop, littleEndian } from './stop-match.ts';
import type { VcpuDebug } from './vcpu-debug.ts';
import type { VcpuReport } from './vcpu-report.ts';

const EAGAIN = 11;
const DR6_SINGLE_STEP = 1n << 14n;
const DEBUG_EXCEPTION = 1;
/**
 * How often a step that changed nothing is tried again. Some processors report the step when its instruction could not
 * even be fetched yet, because the hypervisor had not mapped a page of it; a jump to itself is only slower for this.
 */
const IDLE_STEPS = 8;

/** What a vCPU that did nothing says when it was kicked, or by its heartbeat. */
const outwardReports: ReadonlySet<VcpuReport['kind']> = new Set([
  'interrupted',
  'idt-changed',
  'undelivered',
  'interruptible',
  'delivered',
]);

export interface LoopParts {
  readonly vcpu: KvmVcpu;
  readonly page: RunPage;
  readonly mailbox: Mailbox;
  readonly kicks: KickReceiver;
  readonly ports: PortBus;
  readonly hypercalls: HypercallServer;
  readonly bios: BiosServer | undefined;
  /** Where KVM interprets supervisor code: for what it lacks. */
  readonly interpreter: Interpreter | undefined;
  /** There, too. */
  readonly halts: Halts | undefined;
  readonly ram: RamFile;
  readonly debug: VcpuDebug;
  readonly rendezvous: Rendezvous;
  readonly exits: ExitRecorder;
}

export class VcpuLoop {
  readonly #parts: LoopParts;
  /** Set by a device: the guest ends once the exit is handled. */
  #end: GuestEnd | undefined;

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  end(end: GuestEnd): void {
    this.#end = end;
  }

  /** Runs the vCPU as ordered and says why it came to rest. Breakpoints that do not hold are stepped off here. */
  run(mode: RunMode): VcpuReport {
    const { debug, mailbox } = this.#parts;
    const arrived = mode.kind === 'continue' ? undefined : debug.arrive();
    if (arrived) return arrived;
    for (;;) {
      debug.prepare(mode);
      const report = this.#enter(mode);
      debug.cameOut();
      const pc = debug.conditionalAt(report);
      if (pc === undefined) return report;
      const decided = debug.decide(pc);
      if (decided) return decided;
      const after = debug.stepOff(pc, () => this.#stepSurely());
      debug.cameOut();
      if (after.kind !== 'stepped' || mode.kind === 'step') return after;
      if (mode.kind === 'range-step' && !this.#inRange(mode)) return after;
      if (mailbox.stopRequested) return { kind: 'interrupted' };
    }
  }

  /**
   * Executes one instruction, though it was asked to stop before: what a breakpoint asks for is done, and would be done
   * again if the vCPU ran into the trap a second time.
   */
  #stepSurely(): VcpuReport {
    const { page } = this.#parts;
    const rip = page.register('rip');
    for (let tries = 1; ; tries++) {
      const report = this.#enter({ kind: 'step' }, page.copy('regs'));
      const moved = !outwardReports.has(report.kind) || page.register('rip') !== rip;
      if (moved || tries === IDLE_STEPS) return report;
    }
  }

  /** Runs the vCPU until there is something to say. `registers` are the general ones where they are known already. */
  #enter(mode: RunMode, registers?: DataView): VcpuReport {
    const { vcpu, page, mailbox, kicks, rendezvous, exits, debug, halts } = this.#parts;
    const before = mode.kind === 'continue' ? undefined : (registers ?? vcpu.get('regs'));
    // A debugger may have changed it since the last exit.
    if (before) page.noteRegister('rip', before.getBigUint64(OFFSET.kvm_regs.rip, true));
    const enterGuest = () => runVcpu(vcpu.fd);
    let idleSteps = 0;
    /** What to say when the current exit is completed. */
    let finish: VcpuReport | undefined;
    for (;;) {
      if (before && !finish && halts?.step() && !this.#inRange(mode)) return { kind: 'stepped' };
      exits.entering();
      const result = rendezvous.inGuest(enterGuest);
      exits.left(result);
      if (result === -EINTR || result === -EAGAIN || (result === 0 && page.exitReason === KVM.EXIT_INTR)) {
        kicks.take();
        page.immediateExit = false;
        if (finish?.kind === 'stepped' && this.#inRange(mode)) finish = undefined;
        else if (finish) return finish;
        if (mailbox.stopRequested) return { kind: 'interrupted' };
        const found = this.#lookAround();
        if (found) return found;
        if (mode.kind !== 'step') debug.prepare(mode);
        continue;
      }
      if (result < 0) return { kind: 'internal-error', message: `KVM_RUN failed with errno ${-result}` };
      const report = this.#handleExit();
      if (report && isDoneNext(report)) finish = report;
      else if (report?.kind === 'debug' && finish) return this.#settle(finish);
      else if (report?.kind === 'debug' && this.#onlyStepped(report) && this.#inRange(mode)) debug.prepare(mode);
      else if (
        report?.kind === 'debug' &&
        before &&
        mode.kind === 'step' &&
        this.#stoodStill(before) &&
        idleSteps++ < IDLE_STEPS
      )
        continue;
      else if (report) return this.#settle(report);
      else if (mode.kind !== 'continue') finish ??= { kind: 'stepped' };
      if (finish) page.immediateExit = true;
    }
  }

  /** What the main thread must know of a vCPU that has come out only because of the heartbeat, or a kick. */
  #lookAround(): VcpuReport | undefined {
    const { vcpu, debug } = this.#parts;
    const delivery = debug.delivery();
    if (delivery) return delivery;
    return vcpu.index === 0 && debug.idtHasChanged ? { kind: 'idt-changed' } : undefined;
  }

  /** A stop that KVM reported by itself leaves nothing to complete at the next entry. */
  #settle(report: VcpuReport): VcpuReport {
    this.#parts.page.immediateExit = false;
    return report.kind === 'debug' && this.#onlyStepped(report) ? { kind: 'stepped' } : report;
  }

  /** True for a single step that hit no debug register. */
  #onlyStepped({ exception, dr6 }: { readonly exception: number; readonly dr6: bigint }): boolean {
    const register = reportedRegister(this.#parts.debug.plan, dr6);
    return exception === DEBUG_EXCEPTION && (dr6 & DR6_SINGLE_STEP) !== 0n && register === undefined;
  }

  /** True when a single step has changed nothing: neither RIP nor any other general register. */
  #stoodStill(before: DataView): boolean {
    const { rflags: _, ...compared } = OFFSET.kvm_regs;
    if (this.#parts.page.register('rip') !== before.getBigUint64(compared.rip, true)) return false;
    const now = this.#parts.vcpu.get('regs');
    return Object.values(compared).every((at) => now.getBigUint64(at) === before.getBigUint64(at));
  }

  /** True when a range step is to go on from where the vCPU stands. */
  #inRange(mode: RunMode): boolean {
    if (mode.kind !== 'range-step') return false;
    const pc = linearPc(this.#parts.page.sregs, this.#parts.page.register('rip'));
    return pc >= mode.start && pc < mode.end;
  }

  /** What the main thread must know of this exit; undefined when it is handled. */
  #handleExit(): VcpuReport | undefined {
    const { page } = this.#parts;
    switch (page.exitReason) {
      case KVM.EXIT_IO:
        return this.#handlePort();
      case KVM.EXIT_MMIO:
        return this.#handleMmio();
      case KVM.EXIT_X86_RDMSR:
        return this.#handleMsr(false);
      case KVM.EXIT_X86_WRMSR:
        return this.#handleMsr(true);
      case KVM.EXIT_DEBUG:
        return { kind: 'debug', ...page.debugExit() };
      case KVM.EXIT_SHUTDOWN:
        return { kind: 'triple-fault' };
      case KVM.EXIT_SYSTEM_EVENT:
        return { kind: 'end', end: systemEvent(page.systemEvent) };
      case KVM.EXIT_INTERNAL_ERROR: {
        const { suberror, instruction } = page.internalError();
        if (suberror === KVM.INTERNAL_ERROR_EMULATION) return this.#interpret(instruction);
        const undelivered = suberror === KVM.INTERNAL_ERROR_DELIVERY_EV ? this.#parts.debug.delivery() : undefined;
        if (undelivered) return undelivered;
        return { kind: 'internal-error', message: `KVM reports an internal error, suberror ${suberror}` };
      }
      case KVM.EXIT_FAIL_ENTRY:
        return {
          kind: 'internal-error',
          message: `the processor refused the guest's state, reason 0x${page.failEntryReason.toString(16)}`,
        };
      default:
        return { kind: 'internal-error', message: `KVM left the guest for an unknown reason, ${page.exitReason}` };
    }
  }

  #interpret(instruction: Uint8Array): VcpuReport | undefined {
    const { interpreter, debug } = this.#parts;
    // A trap is no instruction that anybody carries out, and conditions are evaluated at many of them.
    const finished = instruction[0] === debug.plan.trap?.byte ? undefined : interpreter?.finish(instruction);
    if (!finished) return { kind: 'emulation-failure', instruction };
    return finished.written && this.#afterWrite(finished.written.gpa, finished.written.data);
  }

  #handlePort(): VcpuReport | undefined {
    const { page, debug, ports, hypercalls, bios, exits } = this.#parts;
    const access = page.portAccess();
    const mayBeTrap = debug.plan.trap?.kind === 'in-dx' && debug.plan.traps.size > 0 && !access.write;
    const trapped = mayBeTrap && access.size > 1 && this.#portTrap(page.register('rip'));
    if (trapped) {
      exits.was('debug');
      return trapped;
    }
    const calls = access.write && access.port === HYPERCALL_PORT ? hypercalls.call() : undefined;
    if (calls) {
      exits.was('hypercall');
      return this.#after(hypercallStop(debug.plan.stops, calls));
    }
    if (access.write && access.port === BIOS_PORT && bios?.call()) return undefined;
    ports.access(access);
    const { port, size, write, data } = access;
    const value = () => littleEndian(new Uint8Array(data.buffer, data.byteOffset, size));
    return this.#after(accessStop(debug.plan.stops, { kind: 'port', port, size, write, value }));
  }

  /** MSRs that the hypercall ABIs have, and those that the guest is to be stopped on. */
  #handleMsr(write: boolean): VcpuReport | undefined {
    const { page, vcpu, hypercalls, debug } = this.#parts;
    const index = page.msrIndex;
    if (!debug.plan.stops.some((stop) => stop.kind === 'msr' && stop.index === index)) {
      if (write) hypercalls.writeMsr();
      else hypercalls.readMsr();
    } else if (write) page.msrError = !vcpu.setMsr(index, page.msrData);
    else {
      const [value] = vcpu.msrs([index]);
      page.msrError = value === undefined;
      if (value !== undefined) page.msrData = value;
    }
    return this.#after(accessStop(debug.plan.stops, { kind: 'msr', index, write, value: () => page.msrData }));
  }

  /** What to report of an access or a call that has been carried out; `message` says why it is to stop the guest. */
  #after(message: string | undefined): VcpuReport | undefined {
    if (this.#end) return { kind: 'end', end: this.#end };
    return message === undefined ? undefined : { kind: 'event', message };
  }

  /**
   * Tells a planted `in eax,dx` from the guest's own. KVM completes the read at the next entry, so that is done here, and
   * RAX and RIP are put back to what they were on the trap.
   */
  #portTrap(rip: bigint): VcpuReport | undefined {
    const { vcpu, page, debug, kicks } = this.#parts;
    const pc = linearPc(vcpu.get('sregs'), rip);
    const offset = Number(pc % BigInt(PAGE));
    if (![...debug.plan.traps.keys()].some((trap) => trap % PAGE === offset)) return undefined;
    if (!debug.plan.trapAddresses.has(pc)) {
      const gpa = vcpu.translate(pc);
      if (gpa === undefined || !debug.plan.traps.has(Number(gpa))) return undefined;
    }
    const rax = page.register('rax');
    page.immediateExit = true;
    runVcpu(vcpu.fd);
    kicks.take();
    page.immediateExit = false;
    const registers = vcpu.get('regs');
    registers.setBigUint64(OFFSET.kvm_regs.rip, rip, true);
    registers.setBigUint64(OFFSET.kvm_regs.rax, rax, true);
    vcpu.set('regs', registers);
    page.noteRegister('rip', rip);
    page.noteRegister('rax', rax);
    return { kind: 'trapped', pc };
  }

  #handleMmio(): VcpuReport | undefined {
    const { page, ram, ports, debug } = this.#parts;
    const access = page.mmioAccess();
    const { gpa, data } = access;
    if (!access.write || ram.place(gpa) === undefined) {
      ports.memoryAccess(access);
      const { write } = access;
      const size = data.length;
      const value = () => littleEndian(data);
      return this.#after(accessStop(debug.plan.stops, { kind: 'mmio', gpa, size, write, value }));
    }
    // RAM leaves KVM only by a write to a page that is read-only because something on it is watched.
    ram.write(gpa, data);
    return this.#afterWrite(gpa, data);
  }

  /** What to report of a write to RAM that was made here instead of the guest. */
  #afterWrite(gpa: number, data: Uint8Array): VcpuReport | undefined {
    if (!isWatched(this.#parts.debug.plan, gpa, data.length)) return undefined;
    return { kind: 'written', gpa, size: data.length, value: littleEndian(data) };
  }
}

/** Reports about an instruction that KVM completes at the next entry. */
const isDoneNext = ({ kind }: VcpuReport): boolean => kind === 'written' || kind === 'end' || kind === 'event';

function systemEvent(type: number): GuestEnd {
  if (type === KVM.SYSTEM_EVENT_SHUTDOWN) {
    return { cause: 'power-off', exitStatus: 0, message: 'The guest powered itself off.' };
  }
  if (type === KVM.SYSTEM_EVENT_RESET) return { cause: 'reset', exitStatus: 0, message: 'The guest reset itself.' };
  return { cause: 'error', exitStatus: 1, message: `The guest raised system event ${type}.` };
}
