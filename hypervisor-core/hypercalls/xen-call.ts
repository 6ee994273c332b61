/** What all of Xen's calls are made of: arguments, structures behind pointers, results. */
import type { Answer, Call, Platform } from './abi.ts';
import { negative } from './describe.ts';

/** xen/errno.h, as far as it is answered. */
export const EPERM = 1;
export const ESRCH = 3;
export const E2BIG = 7;
export const ENOENT = 2;
export const EFAULT = 14;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ENOSYS = 38;
export const ENODATA = 61;
export const EOPNOTSUPP = 95;

/** A domain that means the caller's own. */
const DOMID_SELF = 0x7ff0;
/** What CPUID says that the guest's own number is. */
export const DOMAIN_ID = 1;

export const ok: Answer = { result: 0n };
export const failed = (error: number): Answer => ({ result: negative(error) });
export const done = (text: string): Answer => ({ result: 0n, text });

/** Argument as the C int that Xen takes it for. */
export function integer(call: Call, index: number): number {
  return Number(BigInt.asUintN(32, call.arguments[index] ?? 0n));
}

export function pointer(call: Call, index: number): bigint {
  return call.arguments[index] ?? 0n;
}

/** A structure of the caller's, copied in. */
export interface Structure {
  readonly view: DataView;
  /** Copies it out again; false when the guest has no such memory. */
  put(): boolean;
}

/** The structure of `bytes` bytes that argument `index` points to; undefined when not all of it is mapped. */
export function structure(call: Call, { memory }: Platform, index: number, bytes: number): Structure | undefined {
  const address = pointer(call, index);
  const content = memory.readVirtual(address, bytes);
  if (content.length < bytes) return undefined;
  return {
    view: new DataView(content.buffer, content.byteOffset, bytes),
    put: () => memory.writeVirtual(address, content) === bytes,
  };
}

/** Carries out `body` on the structure behind the second argument and copies it out; -EFAULT where it is not mapped. */
export function withStructure(call: Call, platform: Platform, bytes: number, body: (view: DataView) => Answer): Answer {
  const argument = structure(call, platform, 1, bytes);
  if (!argument) return failed(EFAULT);
  const answer = body(argument.view);
  if (BigInt.asIntN(64, answer.result) < 0n) return answer;
  return argument.put() ? answer : failed(EFAULT);
}

/** True for the caller's own domain; there is no other. */
export const isSelf = (domain: number): boolean => domain === DOMID_SELF || domain === DOMAIN_ID;

/** A call inside of a multicall, where it is written down, and what has come of it. */
export interface MulticallEntry {
  readonly address: bigint;
  readonly made: Call;
  readonly result: bigint;
}

/** The n-th struct multicall_entry: op, result, six arguments, each as long as a register; undefined where it is not mapped. */
export function multicallEntry(
  call: Call,
  index: number,
  read: (address: bigint, length: number) => Uint8Array,
): MulticallEntry | undefined {
  const { wordBytes } = call;
  const entryBytes = 8 * wordBytes;
  const address = pointer(call, 0) + BigInt(index * entryBytes);
  const bytes = read(address, entryBytes);
  if (bytes.length < entryBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, entryBytes);
  const word = (at: number) =>
    wordBytes === 8 ? view.getBigUint64(at * 8, true) : BigInt(view.getUint32(at * 4, true));
  return { address, made: { ...call, number: word(0), arguments: [2, 3, 4, 5, 6].map(word) }, result: word(1) };
}
