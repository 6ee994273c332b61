/**
 * The hypercall input value and the parameters that it speaks of (TLFS 3.7 and 3.8): call code 15:0, fast 16, variable
 * header size 26:17 in 8-byte units, rep count 43:32, rep start index 59:48. All other bits must be zero.
 */
import type { Call, Platform } from './abi.ts';
import { type HypervCall, hypervCalls, STATUS } from './hyperv-calls.ts';

const RESERVED = 0xf000_f000_f800_0000n;
/** RDX and R8, then XMM0 to XMM5. */
const FAST_REGISTERS_BYTES = 16;
const MOST_FAST_BYTES = FAST_REGISTERS_BYTES + 6 * 16;
const PAGE = 4096n;
const UNIT = 8;

export interface InputValue {
  readonly code: number;
  readonly fast: boolean;
  /** Bytes. */
  readonly variableHeader: number;
  readonly repCount: number;
  readonly repStart: number;
}

export function inputValue(value: bigint): InputValue {
  const bits = (low: number, count: number) => Number((value >> BigInt(low)) & ((1n << BigInt(count)) - 1n));
  return {
    code: bits(0, 16),
    fast: bits(16, 1) === 1,
    variableHeader: bits(17, 10) * UNIT,
    repCount: bits(32, 12),
    repStart: bits(48, 12),
  };
}

/** Bytes of the fixed header. */
export const headerBytes = ({ header }: HypervCall): number => header.reduce((sum, [, bytes]) => sum + bytes, 0);

/** Bytes of all input of a call, rounded up to whole 8-byte units. */
export function inputBytes(call: HypervCall, { variableHeader, repCount }: InputValue): number {
  const bytes = headerBytes(call) + variableHeader + repCount * (call.rep?.input ?? 0);
  return Math.ceil(bytes / UNIT) * UNIT;
}

/** A call whose input value is in order, with its parameters. */
export interface HypervInput extends InputValue {
  readonly parameters: DataView;
  /** Guest-physical address for output; undefined for calls that give none. */
  readonly output?: bigint;
}

/** Checks a call as the hypervisor must, in the order of TLFS 3.8; a number is the status to be given back. */
export function readInput({ number, arguments: values }: Call, platform: Platform): HypervInput | number {
  const value = inputValue(number);
  const call = hypervCalls[value.code];
  if (!call) return STATUS.invalidHypercallCode;
  const size = inputBytes(call, value);
  const outputSize = call.rep ? call.rep.output * value.repCount : (call.output ?? 0);
  if (!wellFormed(number, value, call)) return STATUS.invalidHypercallInput;
  const [first = 0n, second = 0n] = values;
  if (value.fast) {
    // Output would go to XMM registers, which is not offered.
    if (size > MOST_FAST_BYTES || outputSize > 0) return STATUS.invalidHypercallInput;
    return { ...value, parameters: fastParameters(first, second, size, platform) };
  }
  const memory = size > 0 ? platform.memory.readPhysical(first, size) : new Uint8Array();
  const reachable = memory.length === size && (size === 0 || inOnePage(first, size));
  const answerable = outputSize === 0 || inOnePage(second, outputSize);
  if (!reachable || !answerable) return STATUS.invalidAlignment;
  return {
    ...value,
    parameters: new DataView(memory.buffer, memory.byteOffset, size),
    ...(outputSize > 0 && { output: second }),
  };
}

function wellFormed(number: bigint, { repCount, repStart, variableHeader }: InputValue, call: HypervCall): boolean {
  if ((number & RESERVED) !== 0n) return false;
  if (variableHeader > 0 && !call.variable) return false;
  return call.rep ? repCount > 0 && repStart < repCount : repCount === 0 && repStart === 0;
}

const inOnePage = (address: bigint, size: number) =>
  address % BigInt(UNIT) === 0n && size <= Number(PAGE) && (address % PAGE) + BigInt(size) <= PAGE;

function fastParameters(rdx: bigint, r8: bigint, size: number, platform: Platform): DataView {
  const bytes = new Uint8Array(MOST_FAST_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, rdx, true);
  view.setBigUint64(UNIT, r8, true);
  if (size > FAST_REGISTERS_BYTES) bytes.set(platform.xmm(), FAST_REGISTERS_BYTES);
  return new DataView(bytes.buffer, 0, size);
}
