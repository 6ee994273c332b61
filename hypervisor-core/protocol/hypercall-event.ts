/** One hypercall as it was seen, before names are put to its numbers. What the trace ring holds. */

export const HYPERCALL_ABIS = ['kvm', 'xen', 'hyperv'] as const;
export type HypercallAbiName = (typeof HYPERCALL_ABIS)[number];

export interface HypercallEvent {
  /** Microseconds since the machine was made. */
  readonly time: number;
  readonly vcpu: number;
  readonly cpl: number;
  /** Address of the instruction after the call. */
  readonly rip: bigint;
  /** Where a hypercall page, or a domain's stub for calls, returns to. */
  readonly caller?: bigint;
  readonly abi: HypercallAbiName;
  readonly number: bigint;
  /** Argument registers in the order of the convention, at most {@link MAX_ARGUMENTS}. */
  readonly arguments: readonly bigint[];
  /** Absent where there is none: the call did not return, or returned elsewhere. */
  readonly result?: bigint;
  /** Microseconds; absent where the call did not return. */
  readonly duration?: number;
  /** What the call was about in words, as far as that was in guest memory: a printed string, a version. */
  readonly text?: string;
}

export const MAX_ARGUMENTS = 6;
