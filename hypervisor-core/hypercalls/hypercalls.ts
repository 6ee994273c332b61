/** The conventions by name, and the record that the inspect channel shows. */
import { hex } from '../protocol/hex.ts';
import type { HypercallAbiName, HypercallEvent } from '../protocol/hypercall-event.ts';
import type { HypercallRecord, Personality } from '../protocol/inspect.ts';
import type { HypercallAbi } from './abi.ts';
import { hyperv } from './hyperv.ts';
import { inputValue } from './hyperv-input.ts';
import { kvm } from './kvm.ts';
import { xen } from './xen.ts';

const conventions: Readonly<Record<HypercallAbiName, HypercallAbi>> = { kvm, xen, hyperv };

/** The convention that a personality answers; undefined when it answers none. */
export function conventionOf(personality: Personality): HypercallAbi | undefined {
  return personality === 'none' ? undefined : conventions[personality];
}

/** What tells one call from another: Hyper-V's number is a whole input value, and the call code a part of it. */
export const callCode = (abi: HypercallAbiName, number: bigint): bigint =>
  abi === 'hyperv' ? BigInt(inputValue(number).code) : number;

/** The name of a recorded call, as far as its convention knows one. */
export const hypercallName = (event: HypercallEvent): string => conventions[event.abi].describe(event).name;

/** Puts names to a recorded call. */
export function hypercallRecord(sequence: number, event: HypercallEvent): HypercallRecord {
  const { time, vcpu, cpl, rip, caller, abi, number, result, duration } = event;
  return {
    sequence,
    time,
    vcpu,
    cpl,
    rip: hex(rip),
    ...(caller !== undefined && { caller: hex(caller) }),
    abi,
    number: hex(number),
    code: hex(callCode(abi, number)),
    ...conventions[abi].describe(event),
    ...(result !== undefined && { result: hex(result) }),
    ...(duration !== undefined && { duration }),
  };
}
