/**
 * What workers must know of break- and watchpoints. While no vCPU runs the main thread makes a new plan when something has
 * changed, and every worker is sent it before its next run.
 */
import { isDeepStrictEqual } from 'node:util';
import type { TrapKind } from '../protocol/inspect.ts';
import type { StopOn } from '../protocol/stop-on.ts';
import type { Claim } from './breakpoint-list.ts';

/** One of DR0 to DR3 as DR7 describes it (Intel SDM vol. 3B 17.2.4). */
export interface DebugRegister {
  readonly address: bigint;
  readonly length: number;
  readonly type: 'execute' | 'write' | 'access';
}

/** Guest-physical [start, end) whose writes are to stop the guest. */
export interface Watch {
  readonly start: number;
  readonly end: number;
}

/** Bytes of an IDT that are looked at: the exceptions' gates, which have 16 at most. */
export const IDT_BYTES = 32 * 16;

/** Where an IDT is, and what its first {@link IDT_BYTES} hold, as hexadecimal digits; fewer where it is not mapped. */
export interface IdtContents {
  readonly base: bigint;
  readonly gates: string;
}

export interface DebugPlan {
  /** The trap byte that is planted; undefined where none leaves the guest. */
  readonly trap: { readonly kind: TrapKind; readonly byte: number } | undefined;
  /** Guest-physical addresses of planted traps, with the bytes that they hide. */
  readonly traps: ReadonlyMap<number, number>;
  /**
   * Linear addresses that these are planted for, and where that was in physical memory, if at one place. A trap elsewhere was
   * moved by the guest.
   */
  readonly trapAddresses: ReadonlyMap<bigint, number | undefined>;
  readonly registers: readonly DebugRegister[];
  readonly watches: readonly Watch[];
  /**
   * One vCPU runs, with nothing watched, until it has been interrupted: by a controller's interrupt, after which it is to be
   * spared others for a while, or by what does not come that often.
   */
  readonly delivering: 'interrupt' | 'other' | undefined;
  /** Breakpoints at which the vCPU's worker has something to do before it is known whether they stop, by linear address. */
  readonly conditional: ReadonlyMap<bigint, readonly Claim[]>;
  /** What else the guest is to be stopped on. */
  readonly stops: readonly StopOn[];
  /** The first vCPU comes back when its IDT is another, or has other gates; undefined when nobody cares. */
  readonly idt: IdtContents | undefined;
}

export const emptyPlan: DebugPlan = {
  trap: undefined,
  traps: new Map(),
  trapAddresses: new Map(),
  registers: [],
  watches: [],
  delivering: undefined,
  conditional: new Map(),
  stops: [],
  idt: undefined,
};

/** True for plans that say the same. Made for each step: most of a plan is empty, which is seen without a deep comparison. */
export function isSamePlan(a: DebugPlan, b: DebugPlan): boolean {
  return (Object.keys(a) as (keyof DebugPlan)[]).every((key) => {
    const [one, other] = [a[key], b[key]];
    return one === other || (isEmpty(one) && isEmpty(other)) || isDeepStrictEqual(one, other);
  });
}

const isEmpty = (value: DebugPlan[keyof DebugPlan]): boolean =>
  Array.isArray(value) ? value.length === 0 : (value instanceof Map || value instanceof Set) && value.size === 0;

/** Which register a DR6 value reports, by its bits B0 to B3; the processor sets these for disabled registers too. */
export function reportedRegister({ registers }: DebugPlan, dr6: bigint): DebugRegister | undefined {
  return registers.find((_, position) => (dr6 >> BigInt(position)) & 1n);
}

/** True when a write of `length` bytes at `gpa` touches a watched byte. */
export function isWatched({ watches }: DebugPlan, gpa: number, length: number): boolean {
  return watches.some(({ start, end }) => gpa < end && gpa + length > start);
}
