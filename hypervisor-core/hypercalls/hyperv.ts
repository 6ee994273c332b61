/**
 * The Hyper-V convention (Hypervisor Top Level Functional Specification 3): 64-bit callers pass the input value in RCX
 * and input and output addresses, or for fast calls the parameters themselves, in RDX and R8; 32-bit callers in EDX:EAX,
 * EBX:ECX and EDI:ESI. Basic: names, status codes and the calls that need no state.
 */
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import { type Answer, type Call, type CallRegisters, type Description, type HypercallAbi, signature } from './abi.ts';
import { namedArguments } from './describe.ts';
import { singleEntryPage } from './hypercall-page.ts';
import { hypervCalls, hypervStatuses } from './hyperv-names.ts';

const BASE_LEAF = 0x4000_0000;
/** Leaf 3 EAX: the hypercall MSRs (bit 5) and HV_X64_MSR_VP_INDEX (bit 6). */
const PRIVILEGES = (1 << 5) | (1 << 6);

const FAST = 1n << 16n;
const NOTIFY_LONG_SPIN_WAIT = 8;
const STATUS_SUCCESS = 0n;
const STATUS_INVALID_HYPERCALL_CODE = 2n;

export const hyperv: HypercallAbi = {
  name: 'hyperv',
  cpuid: [
    { leaf: BASE_LEAF, eax: BASE_LEAF + 5, ...signature('Microsoft Hv') },
    { leaf: BASE_LEAF + 1, eax: 0x3123_7648, ebx: 0, ecx: 0, edx: 0 }, // "Hv#1"
    { leaf: BASE_LEAF + 2, eax: 0, ebx: 10 << 16, ecx: 0, edx: 0 },
    { leaf: BASE_LEAF + 3, eax: PRIVILEGES, ebx: 0, ecx: 0, edx: 0 },
    // Spin-wait notification: never.
    { leaf: BASE_LEAF + 4, eax: 0, ebx: 0xffff_ffff, ecx: 0, edx: 0 },
    { leaf: BASE_LEAF + 5, eax: 255, ebx: 0, ecx: 0, edx: 0 },
  ],
  page: singleEntryPage,
  decode,
  answer: ({ number }): Answer => ({
    result: callCode(number) === NOTIFY_LONG_SPIN_WAIT ? STATUS_SUCCESS : STATUS_INVALID_HYPERCALL_CODE,
  }),
  describe,
};

/** The "number" of a call is its whole input value, so that nothing of it is lost in the trace. */
function decode({ rax, rbx, rcx, rdx, rsi, rdi, r8, longMode, cpl }: CallRegisters): Call {
  const pair = (high: bigint, low: bigint) => (BigInt.asUintN(32, high) << 32n) | BigInt.asUintN(32, low);
  return longMode
    ? { number: rcx, arguments: [rdx, r8], cpl, wordBytes: 8 }
    : { number: pair(rdx, rax), arguments: [pair(rbx, rcx), pair(rdi, rsi)], cpl, wordBytes: 4 };
}

function callCode(input: bigint): number {
  return Number(input & 0xffffn);
}

/** Input value: code 15:0, fast 16, variable header size 26:17, rep count 43:32, rep start index 59:48. */
function describe(event: HypercallEvent): Description {
  const input = event.number;
  const code = callCode(input);
  const fast = (input & FAST) !== 0n;
  const repetitions = Number((input >> 32n) & 0xfffn);
  const status = Number(event.result & 0xffffn);
  const completed = Number((event.result >> 32n) & 0xfffn);
  const names = fast ? ['parameter1', 'parameter2'] : ['input', 'output'];
  const statusText = hypervStatuses[status] ?? `status ${status}`;
  return {
    name: hypervCalls[code] ?? `call 0x${code.toString(16)}`,
    arguments: [
      ...namedArguments(
        ['control'],
        [input],
        [`${fast ? 'fast' : 'by memory'}${repetitions ? `, ${repetitions} repetitions` : ''}`],
      ),
      ...namedArguments(names, event.arguments),
    ],
    resultText: repetitions ? `${statusText}, ${completed} of ${repetitions} done` : statusText,
  };
}
