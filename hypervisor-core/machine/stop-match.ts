/** Which accesses by the guest are to stop it, and how they are told. On the vCPU's worker. */

import { callCode, hypercallName } from '../hypercalls/hypercalls.ts';
import { hex, parseHex } from '../protocol/hex.ts';
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import type { ExitReason, StopAccess, StopOn } from '../protocol/stop-on.ts';

/** An access that has been carried out; its value is asked for only where it stops the guest. */
export type GuestAccess =
  | {
      readonly kind: 'port';
      readonly port: number;
      readonly size: number;
      readonly write: boolean;
      readonly value: () => bigint;
    }
  | {
      readonly kind: 'mmio';
      readonly gpa: number;
      readonly size: number;
      readonly write: boolean;
      readonly value: () => bigint;
    }
  | { readonly kind: 'msr'; readonly index: number; readonly write: boolean; readonly value: () => bigint };

/** What to say when one of these calls is to stop the guest; undefined when none is. `whoMade`: the sentence's beginning. */
export function hypercallStop(
  stops: readonly StopOn[],
  calls: readonly HypercallEvent[],
  whoMade = 'The guest made',
): string | undefined {
  const found = calls.find((call) => stops.some((stop) => wantsCall(stop, call)));
  if (!found) return undefined;
  const code = hex(callCode(found.abi, found.number));
  return `${whoMade} the ${found.abi} hypercall ${code}, ${hypercallName(found)}.`;
}

function wantsCall(stop: StopOn, { abi, number }: HypercallEvent): boolean {
  if (stop.kind !== 'hypercall' || (stop.abi !== undefined && stop.abi !== abi)) return false;
  return stop.number === undefined || callCode(abi, parseHex(stop.number)) === callCode(abi, number);
}

const allows = (access: StopAccess, write: boolean) => access === 'any' || (access === 'write') === write;

const exitOf = ({ kind, write }: GuestAccess): ExitReason => {
  if (kind === 'port') return 'io';
  if (kind === 'mmio') return 'mmio';
  return write ? 'wrmsr' : 'rdmsr';
};

function matches(stop: StopOn, access: GuestAccess): boolean {
  if (stop.kind === 'exit') return stop.reason === exitOf(access);
  if (!('access' in stop) || stop.kind !== access.kind || !allows(stop.access, access.write)) return false;
  if (stop.kind === 'msr') return access.kind === 'msr' && access.index === stop.index;
  if (access.kind === 'port')
    return stop.kind === 'port' && access.port <= stop.last && access.port + access.size > stop.first;
  if (access.kind !== 'mmio' || stop.kind !== 'mmio') return false;
  const first = BigInt(access.gpa);
  return first <= parseHex(stop.last) && first + BigInt(access.size) > parseHex(stop.first);
}

/** What to say when the access is to stop the guest; undefined when it is not. */
export function accessStop(stops: readonly StopOn[], access: GuestAccess): string | undefined {
  return stops.some((stop) => matches(stop, access)) ? describe(access) : undefined;
}

function describe(access: GuestAccess): string {
  const value = hex(access.value());
  const verb = access.write ? `wrote ${value} to` : `read ${value} from`;
  if (access.kind === 'msr') return `The guest ${verb} MSR ${hex(BigInt(access.index))}.`;
  const bytes = access.size === 1 ? '1 byte' : `${access.size} bytes`;
  const place =
    access.kind === 'port' ? `port ${hex(BigInt(access.port))}` : `device memory at ${hex(BigInt(access.gpa))}`;
  return `The guest ${verb} ${place} (${bytes}).`;
}

/** Little-endian bytes as a number. */
export const littleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
