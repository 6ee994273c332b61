/**
 * Traces the calls that domains make to a hypervisor in the guest, on the vCPU's worker: each from where it begins, a
 * function of that hypervisor's, to where that returns. A processor of Xen's makes one call at a time on its own stack.
 * Calls that are one instruction are handed on.
 */
import { type PvCaller, pvCaller, pvOutcome, pvReturn, pvText } from '../hypercalls/xen-pv.ts';
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import type { HypercallRing } from '../trace/hypercall-ring.ts';
import type { CallPlace } from './breakpoint-list.ts';
import type { DebugPlan } from './debug-plan.ts';
import type { GuestClock } from './guest-clock.ts';
import { type AtInstruction, InstructionRecorder } from './instruction-recorder.ts';
import { PendingCall } from './pending-call.ts';
import { MOST_RETURNS } from './recorded-calls.ts';
import { hypercallStop } from './stop-match.ts';
import type { VcpuReport } from './vcpu-report.ts';

export interface CallRecorderParts {
  readonly vcpu: number;
  readonly clock: GuestClock;
  readonly ring: HypercallRing;
  /** Guest-virtual bytes, fewer where nothing is mapped. */
  readonly memory: (gva: bigint, length: number) => Uint8Array;
}

/** Registers of a vCPU at the first instruction of a function, or behind a call of it. */
export interface CallRegisters extends AtInstruction {
  readonly rdi: bigint;
}

interface Pending {
  readonly at: CallRegisters;
  readonly caller: PvCaller;
  readonly event: HypercallEvent;
  /** When the hypervisor was let go with it. */
  readonly since?: number;
}

const RETURN_ADDRESS_BYTES = 8;

export class CallRecorder {
  readonly #parts: CallRecorderParts;
  /** Where calls begin, and have returned. */
  #places: ReadonlyMap<bigint, CallPlace> = new Map();
  /** What the guest is to be stopped on. */
  #stops: readonly StopOn[] = [];
  readonly #pending: PendingCall<Pending>;
  readonly #instructions: InstructionRecorder;

  constructor(parts: CallRecorderParts) {
    this.#parts = parts;
    this.#pending = new PendingCall(parts);
    this.#instructions = new InstructionRecorder(parts);
  }

  /** True while there is anything to trace. */
  get active(): boolean {
    return this.#places.size > 0 || this.#instructions.active;
  }

  follow(plan: DebugPlan): void {
    const { conditional, stops } = plan;
    this.#instructions.follow(plan);
    this.#stops = stops;
    this.#places = new Map(
      [...conditional].flatMap(([gva, claims]) => claims.flatMap(({ records }) => (records ? [[gva, records]] : []))),
    );
    if (this.#places.size === 0) this.#pending.giveUp();
  }

  /**
   * The vCPU stands where a call may begin or have returned: traces it, and says whether it is to stop the guest, or what has
   * to be done before it is traced.
   */
  visit(at: CallRegisters): VcpuReport | undefined {
    const said = this.#instructions.visit(at);
    if (said !== undefined) return { kind: 'event', message: said };
    const place = this.#places.get(at.rip);
    if (place === 'return') this.#finish(at);
    if (place !== 'call' || this.#knows(at)) return undefined;
    const address = this.#returnAddress(at);
    const returns = [...this.#places].flatMap(([gva, each]) => (each === 'return' ? [gva] : []));
    const known = address !== undefined && returns.includes(address);
    if (address !== undefined && !known && returns.length < MOST_RETURNS) return { kind: 'call-returns', address };
    const event = this.#begin(at);
    if (!known) this.#pending.giveUp();
    const message = event && hypercallStop(this.#stops, [event], 'A domain makes');
    return message === undefined ? undefined : { kind: 'event', message };
  }

  /** Where the function returns to, whose first instruction the vCPU stands on; undefined where its stack is not mapped. */
  #returnAddress({ rsp }: CallRegisters): bigint | undefined {
    const bytes = this.#parts.memory(rsp, RETURN_ADDRESS_BYTES);
    return bytes.length < RETURN_ADDRESS_BYTES
      ? undefined
      : new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }

  /** True when the call that begins where the vCPU stands has been taken up already, and not gone on with. */
  #knows({ rip, rsp }: CallRegisters): boolean {
    const pending = this.#pending.now;
    return pending?.since === undefined && pending?.at.rip === rip && pending.at.rsp === rsp;
  }

  /** A call begins. Gives it, without a result; undefined where the caller's registers are not mapped. */
  #begin(at: CallRegisters): HypercallEvent | undefined {
    this.#pending.giveUp();
    const { vcpu, clock, memory } = this.#parts;
    const caller = pvCaller(at.rdi, memory);
    if (!caller) return undefined;
    const { call, rip } = caller;
    const text = pvText(call, memory);
    const from = pvReturn(caller, memory);
    const time = clock.now();
    const event: HypercallEvent = {
      ...{ time, vcpu, cpl: call.cpl, rip, abi: 'xen' },
      ...(from !== undefined && { caller: from }),
      ...{ number: call.number, arguments: call.arguments },
      ...(text !== undefined && { text }),
    };
    this.#pending.now = { at, caller, event };
    return event;
  }

  /** The vCPU stands at `rip`: away from where a call began, what was done here for that does not count. */
  standsAt(rip: bigint, rax: () => bigint): void {
    this.#instructions.standsAt(rip, rax);
    const pending = this.#pending.now;
    if (pending && pending.since === undefined && rip !== pending.at.rip) {
      this.#pending.now = { ...pending, since: this.#parts.clock.now() };
    }
  }

  /** The vCPU stands behind a call of the function. */
  #finish({ rsp }: CallRegisters): void {
    const { ring, clock, memory } = this.#parts;
    const pending = this.#pending.now;
    if (!pending || rsp !== pending.at.rsp + BigInt(RETURN_ADDRESS_BYTES)) return;
    const duration = clock.now() - (pending.since ?? pending.event.time);
    const { event, caller } = pending;
    const after = pvCaller(pending.at.rdi, memory);
    if (!after) return;
    this.#pending.now = undefined;
    const { result, inner } = pvOutcome(caller, after, memory);
    for (const { call, result: its } of inner) {
      const text = pvText(call, memory);
      const { text: _, ...common } = event;
      ring.add({
        ...{ ...common, duration, number: call.number, arguments: call.arguments, result: its },
        ...(text !== undefined && { text }),
      });
    }
    ring.add({ ...event, duration, ...(result !== undefined && { result }) });
  }

  /** Calls that have not returned, and will not, are traced as they are. */
  giveUp(): void {
    this.#instructions.giveUp();
    this.#pending.giveUp();
  }

  /** The machine may have gone back to a snapshot from before the call. */
  recall(): void {
    this.#instructions.recall();
    this.#pending.recall();
  }
}
