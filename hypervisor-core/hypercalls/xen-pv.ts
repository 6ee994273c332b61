/**
 * Calls of Xen's paravirtual domains, as a Xen that runs in the guest takes them: by `pv_hypercall(struct cpu_user_regs *)`,
 * which writes the result over the number in the caller's RAX (xen/arch/x86/pv/hypercall.c).
 */
import { type Call, printable, resultIn } from './abi.ts';
import { stubReturn } from './stub-return.ts';
import { xen } from './xen.ts';
import { integer, multicallEntry, pointer } from './xen-call.ts';
import { mmuOperations, shutdownReasons } from './xen-names.ts';

/** struct cpu_user_regs (xen/include/public/arch-x86/xen-x86_64.h), as far as a call is in it. */
const AT = {
  ...{ rbp: 32, rbx: 40, r10: 56, r9: 64, r8: 72, rax: 80, rcx: 88, rdx: 96, rsi: 104, rdi: 112 },
  ...{ rip: 128, cs: 136, rsp: 152 },
};
/** Bytes of it that are read. */
const FRAME_BYTES = 160;
/** FLAT_RING3_CS64: SYSCALL of a 64-bit domain leaves it there. */
const CS64 = 0xe033;
const FIRST_64_BIT = 1n << 32n;
/** SYSCALL and INT 0x82 alike. */
const INSTRUCTION_BYTES = 2n;
const CALL = { multicall: 13n, console: 18n, iret: 23n, mmuext: 26n, scheduler: 29n };
/** CONSOLEIO_write and SCHEDOP_shutdown. */
const [WRITE, SHUTDOWN] = [0, 2];
/** Bytes of a printed text that are looked at: one more than is shown. */
const LONGEST = 61;
/** Calls of one multicall that are looked at, of the many that a domain may claim to make. */
const MOST_CALLS = 1024;

/** Guest-virtual bytes, fewer where nothing is mapped. */
type Read = (address: bigint, length: number) => Uint8Array;

/** The caller at a call. */
export interface PvCaller {
  readonly call: Call;
  readonly rip: bigint;
  readonly rsp: bigint;
  readonly rax: bigint;
}

/** What came of a call; without a result where Xen has it made again, with what is left to do, or went to another context. */
export interface PvOutcome {
  readonly result?: bigint;
  /** Of a multicall: what it made so far. */
  readonly inner: readonly { readonly call: Call; readonly result: bigint }[];
}

/** The caller whose registers are at `frame`; undefined where they are not mapped. */
export function pvCaller(frame: bigint, read: Read): PvCaller | undefined {
  const bytes = read(frame, FRAME_BYTES);
  if (bytes.length < FRAME_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_BYTES);
  const word = (name: keyof typeof AT) => view.getBigUint64(AT[name], true);
  const cs = view.getUint16(AT.cs, true);
  const rip = word('rip');
  const call = xen.decode({
    ...{ rax: word('rax'), rbx: word('rbx'), rcx: word('rcx'), rdx: word('rdx'), rsi: word('rsi'), rdi: word('rdi') },
    ...{ rbp: word('rbp'), r8: word('r8'), r9: word('r9'), r10: word('r10') },
    longMode: cs === CS64 || rip >= FIRST_64_BIT,
    cpl: cs & 3,
  });
  return { call, rip, rsp: word('rsp'), rax: word('rax') };
}

/** Where the domain's stub for calls returns to; undefined where it calls without one. */
export const pvReturn = ({ call: { wordBytes }, rip, rsp }: PvCaller, read: Read): bigint | undefined =>
  stubReturn({ rip, rsp, wordBytes }, read);

/** What came of the call that `before` made, by its registers when Xen is done with it. */
export function pvOutcome(before: PvCaller, after: PvCaller, read: Read): PvOutcome {
  const { call } = before;
  if (call.number === CALL.iret) return { inner: [] };
  const again = after.rip === before.rip - INSTRUCTION_BYTES;
  const result = resultIn(after.rax, call.wordBytes);
  const failed = !again && BigInt.asIntN(64, result) < 0n;
  const isMulticall = call.number === CALL.multicall && !failed;
  const made = integer(call, 1) - (again ? integer(after.call, 1) : 0);
  return { ...(!again && { result }), inner: isMulticall ? madeBy(call, made, read) : [] };
}

function madeBy(call: Call, count: number, read: Read): PvOutcome['inner'] {
  const entries = Array.from({ length: Math.max(0, Math.min(count, MOST_CALLS)) }, (_, index) =>
    multicallEntry(call, index, read),
  );
  return entries.flatMap((entry) => (entry ? [{ call: entry.made, result: entry.result }] : []));
}

/** What a call is about, as far as that is in the caller's memory. */
export function pvText(call: Call, read: Read): string | undefined {
  const number = (argument: number) => {
    const bytes = read(pointer(call, argument), 4);
    return bytes.length < 4 ? undefined : new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  };
  switch (call.number) {
    case CALL.console:
      return integer(call, 0) === WRITE
        ? printable(read(pointer(call, 2), Math.min(integer(call, 1), LONGEST)))
        : undefined;
    case CALL.mmuext:
      return mmuOperations[number(0) ?? -1];
    case CALL.scheduler:
      return integer(call, 0) === SHUTDOWN ? shutdownReasons[number(1) ?? -1] : undefined;
    default:
      return undefined;
  }
}
