/**
 * Traces the calls that the guest makes to KVM by instructions that KVM answers itself, on the vCPU's worker: the vCPU runs into
 * a trap at such an instruction, and is taken over it.
 */
import { type CallRegisters, resultIn } from '../hypercalls/abi.ts';
import { kvm } from '../hypercalls/kvm.ts';
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import type { HypercallRing } from '../trace/hypercall-ring.ts';
import { CALL_BYTES } from './call-sites.ts';
import type { DebugPlan } from './debug-plan.ts';
import type { GuestClock } from './guest-clock.ts';
import { PendingCall } from './pending-call.ts';
import { hypercallStop } from './stop-match.ts';

export interface InstructionRecorderParts {
  readonly vcpu: number;
  readonly clock: GuestClock;
  readonly ring: HypercallRing;
}

/** A vCPU at an instruction. */
export interface AtInstruction {
  readonly rip: bigint;
  readonly rsp: bigint;
  /** All that a call may be told in. */
  readonly general: () => CallRegisters;
}

interface Pending {
  readonly rsp: bigint;
  readonly event: HypercallEvent;
  readonly wordBytes: 4 | 8;
}

export class InstructionRecorder {
  readonly #parts: InstructionRecorderParts;
  #places: ReadonlySet<bigint> = new Set();
  /** What the guest is to be stopped on. */
  #stops: readonly StopOn[] = [];
  readonly #pending: PendingCall<Pending>;

  constructor(parts: InstructionRecorderParts) {
    this.#parts = parts;
    this.#pending = new PendingCall(parts);
  }

  /** True while there is anything to trace. */
  get active(): boolean {
    return this.#places.size > 0;
  }

  follow({ conditional, stops }: DebugPlan): void {
    this.#stops = stops;
    const places = [...conditional].filter(([, claims]) => claims.some(({ records }) => records === 'instruction'));
    this.#places = new Set(places.map(([gva]) => gva));
    // It has not been made yet.
    if (!this.active) this.#pending.now = undefined;
  }

  /** The vCPU stands at `rip`, perhaps before a call: gives what to say where that is to stop the guest. */
  visit({ rip, rsp, general }: AtInstruction): string | undefined {
    if (!this.#places.has(rip)) return undefined;
    const behind = rip + BigInt(CALL_BYTES);
    // It has been taken up already, and not gone on with.
    const before = this.#pending.now;
    if (before?.event.rip === behind && before.rsp === rsp) return undefined;
    this.giveUp();
    const { vcpu, clock } = this.#parts;
    const { number, arguments: given, cpl, wordBytes } = kvm.decode(general());
    const event: HypercallEvent = {
      ...{ time: clock.now(), vcpu, cpl, rip: behind, abi: kvm.name },
      ...{ number, arguments: given },
    };
    this.#pending.now = { rsp, event, wordBytes };
    return hypercallStop(this.#stops, [event], 'The guest makes');
  }

  /** The vCPU stands at `rip`: behind the call, that is done, with its result in RAX; elsewhere than before, it went wrong. */
  standsAt(rip: bigint, rax: () => bigint): void {
    const pending = this.#pending.now;
    if (!pending || rip === pending.event.rip - BigInt(CALL_BYTES)) return;
    if (rip !== pending.event.rip) {
      this.giveUp();
      return;
    }
    this.#pending.now = undefined;
    const { clock, ring } = this.#parts;
    const result = resultIn(rax(), pending.wordBytes);
    ring.add({ ...pending.event, result, duration: clock.now() - pending.event.time });
  }

  /** A call that has not been made is traced as it is. */
  giveUp(): void {
    this.#pending.giveUp();
  }

  /** The machine may have gone back to a snapshot from before the call. */
  recall(): void {
    this.#pending.recall();
  }
}
