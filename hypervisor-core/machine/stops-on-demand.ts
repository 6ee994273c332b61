/** Which stops besides breakpoints have been asked for, by whom, and which of them this machine cannot give. */

import { parseHex } from '../protocol/hex.ts';
import type { HypercallAbiName } from '../protocol/hypercall-event.ts';
import type { MemoryMap } from '../protocol/inspect.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import { BreakpointError } from './api.ts';
import type { ControlWrite } from './control-writes.ts';

/** KVM takes 16 ranges, one of which may be the hypercall MSRs'. */
const MOST_MSRS = 15;

export interface StopsContext {
  readonly msrFilter: boolean;
  /** The conventions of hypercalls that are seen now: of those that the guest makes to us, and of those inside it. */
  readonly hypercalls: () => readonly HypercallAbiName[];
  readonly memoryMap: () => MemoryMap;
  /** The instructions by which the guest writes one of these control registers, as far as its code can be known now. */
  readonly controlWrites: (registers: ReadonlySet<string>) => readonly ControlWrite[];
  /** Has the guest's reads and writes of these MSRs come here. */
  readonly filterMsrs: (indices: readonly number[]) => void;
}

export class StopsOnDemand {
  readonly #context: StopsContext;
  #controlWrites: readonly ControlWrite[] = [];
  readonly #byOwner = new Map<object, readonly StopOn[]>();
  #all: readonly StopOn[] | undefined;

  constructor(context: StopsContext) {
    this.#context = context;
  }

  /** Replaces what `owner` asked for; all of it or, with a {@link BreakpointError}, nothing. */
  set(owner: object, stops: readonly StopOn[]): void {
    for (const stop of stops) this.#check(stop);
    const controlWrites = this.#findControlWrites(owner, stops);
    const before = this.#msrs();
    const old = this.#byOwner.get(owner) ?? [];
    this.#put(owner, stops);
    const after = this.#msrs();
    if (after.length > MOST_MSRS) {
      this.#put(owner, old);
      throw new BreakpointError(`The guest can be stopped on ${MOST_MSRS} MSRs at once.`);
    }
    if (before.join() !== after.join()) this.#context.filterMsrs(after);
    this.#controlWrites = controlWrites;
  }

  #put(owner: object, stops: readonly StopOn[]): void {
    if (stops.length === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, stops);
    this.#all = undefined;
  }

  of(owner: object): readonly StopOn[] {
    return this.#byOwner.get(owner) ?? [];
  }

  /** What everybody asked for, the same object until somebody asks for something else. */
  get all(): readonly StopOn[] {
    this.#all ??= [...this.#byOwner.values()].flat();
    return this.#all;
  }

  /** The instructions that write control registers whose writes anybody asked for. */
  get controlWrites(): readonly ControlWrite[] {
    return this.#controlWrites;
  }

  /** Code that was not there yet when somebody asked for the same before is looked at, too. */
  #findControlWrites(owner: object, stops: readonly StopOn[]): readonly ControlWrite[] {
    const asked = controlRegisters(stops);
    const others = [...this.#byOwner].flatMap(([other, theirs]) => (other === owner ? [] : theirs));
    const registers = new Set([...asked, ...controlRegisters(others)]);
    // The guest may run while somebody leaves, and then its code cannot be looked at.
    if (asked.size === 0) return this.#controlWrites.filter(({ register }) => registers.has(register));
    const found = this.#context.controlWrites(registers);
    const lacking = [...asked].find((name) => !found.some(({ register }) => register === name));
    if (lacking === undefined) return found;
    throw new BreakpointError(
      `No instruction that writes ${lacking} is known: there is none in the code sections of the kernel's file, and none where its page tables let it execute but not write. Break where the guest writes it.`,
    );
  }

  #msrs(): number[] {
    return [...new Set(this.all.flatMap((stop) => (stop.kind === 'msr' ? [stop.index] : [])))].sort((a, b) => a - b);
  }

  #check(stop: StopOn): void {
    const reason = this.#refusal(stop);
    if (reason !== undefined) throw new BreakpointError(reason);
  }

  #refusal(stop: StopOn): string | undefined {
    switch (stop.kind) {
      case 'hypercall': {
        const seen = this.#context.hypercalls();
        if (seen.length === 0)
          return 'KVM answers the hypercalls of this guest itself; they come here with personality xen or hyperv.';
        return stop.abi === undefined || seen.includes(stop.abi)
          ? undefined
          : `This guest makes hypercalls of ${seen.join(' and ')}; for those of ${stop.abi} start it with that personality.`;
      }
      case 'msr':
        if (!this.#context.msrFilter) return "This host's KVM cannot send MSR accesses to user space.";
        return stop.index >= 0x800 && stop.index < 0x900 ? 'KVM never sends accesses to x2APIC MSRs away.' : undefined;
      case 'port': {
        const inKernel = this.#context
          .memoryMap()
          .ports.find(({ first, last, device }) => IN_KERNEL.test(device) && first <= stop.last && last >= stop.first);
        return (
          inKernel && `Port 0x${inKernel.first.toString(16)} belongs to the ${inKernel.device}, which is in the kernel.`
        );
      }
      case 'mmio': {
        const [first, last] = [parseHex(stop.first), parseHex(stop.last)];
        const taken = this.#context
          .memoryMap()
          .regions.find(
            ({ kind, name, start, end }) =>
              (kind === 'ram' || IN_KERNEL.test(name)) && parseHex(start) <= last && parseHex(end) > first,
          );
        if (taken?.kind === 'ram') return `There is RAM at ${stop.first}; set a watchpoint.`;
        return taken && `The ${taken.name} is in the kernel, so accesses to it do not come here.`;
      }
      default:
        return undefined;
    }
  }
}

/** Chips whose registers KVM answers for. */
const IN_KERNEL = /^(PIC|PIT|I\/O APIC|local APIC|KVM)/;

const controlRegisters = (stops: readonly StopOn[]) =>
  new Set(stops.flatMap((stop) => (stop.kind === 'control-register' ? [stop.name] : [])));
