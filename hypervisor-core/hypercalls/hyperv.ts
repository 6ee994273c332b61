/**
 * The Hyper-V convention (Hypervisor Top Level Functional Specification 3): 64-bit callers pass the input value in RCX
 * and input and output addresses, or for fast calls the parameters themselves, in RDX, R8 and XMM0 to XMM5; 32-bit
 * callers in EDX:EAX, EBX:ECX and EDI:ESI.
 */
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import {
  type Call,
  type CallRegisters,
  type CpuidLeaf,
  type Description,
  type HostFeatures,
  type HypercallAbi,
  signature,
} from './abi.ts';
import { namedArguments } from './describe.ts';
import { answerHyperv } from './hyperv-answers.ts';
import { hypervCalls, hypervStatuses } from './hyperv-calls.ts';
import { type InputValue, inputValue } from './hyperv-input.ts';
import { HYPERV_VERSION, hypervMsrRanges, readHypervMsr, writeHypervMsr } from './hyperv-msrs.ts';

const BASE_LEAF = 0x4000_0000;
/** TLFS 2.4.4, leaf 3. EAX: partition reference counter 1, hypercall MSRs 5, VP index 6. */
const PRIVILEGES = (1 << 1) | (1 << 5) | (1 << 6);
/** EAX: SynIC 2, synthetic timers 3, APIC access 4, reference TSC 9, frequencies 11. EDX: frequencies 8, direct timers 19. */
const KVM_PRIVILEGES = (1 << 2) | (1 << 3) | (1 << 4) | (1 << 9) | (1 << 11);
const KVM_FEATURES = (1 << 8) | (1 << 19);
/** EBX: post messages 4, signal events 5, access VP registers 17, extended hypercalls 20. */
const PARTITION_FLAGS = (1 << 4) | (1 << 5) | (1 << 17) | (1 << 20);
/** EDX: fast input in XMM registers. */
const XMM_INPUT = 1 << 4;
/** Leaf 4 EAX: send interrupts to others by hypercall (10), with sparse sets (11). */
const RECOMMENDATIONS = (1 << 10) | (1 << 11);
const MOST_VPS = 64;

export const hyperv: HypercallAbi = {
  name: 'hyperv',
  cpuid,
  msrs: hypervMsrRanges,
  readMsr: readHypervMsr,
  writeMsr: writeHypervMsr,
  decode,
  answer: answerHyperv,
  results: (result, longMode) =>
    longMode ? { rax: result } : { rax: BigInt.asUintN(32, result), rdx: BigInt.asUintN(32, result >> 32n) },
  describe,
};

function cpuid(_vcpu: number, { hypervMsrs }: HostFeatures): CpuidLeaf[] {
  const eax = PRIVILEGES | (hypervMsrs ? KVM_PRIVILEGES : 0);
  const edx = XMM_INPUT | (hypervMsrs ? KVM_FEATURES : 0);
  return [
    { leaf: BASE_LEAF, eax: BASE_LEAF + 6, ...signature('Microsoft Hv') },
    { leaf: BASE_LEAF + 1, eax: 0x3123_7648, ebx: 0, ecx: 0, edx: 0 }, // "Hv#1"
    { leaf: BASE_LEAF + 2, ...HYPERV_VERSION },
    { leaf: BASE_LEAF + 3, eax, ebx: PARTITION_FLAGS, ecx: 0, edx },
    // Spin-wait notification: never.
    { leaf: BASE_LEAF + 4, eax: RECOMMENDATIONS, ebx: 0xffff_ffff, ecx: 0, edx: 0 },
    { leaf: BASE_LEAF + 5, eax: MOST_VPS, ebx: MOST_VPS, ecx: 0, edx: 0 },
    { leaf: BASE_LEAF + 6, eax: 0, ebx: 0, ecx: 0, edx: 0 },
  ];
}

/** The "number" of a call is its whole input value, so that nothing of it is lost in the trace. */
function decode({ rax, rbx, rcx, rdx, rsi, rdi, r8, longMode, cpl }: CallRegisters): Call {
  const pair = (high: bigint, low: bigint) => (BigInt.asUintN(32, high) << 32n) | BigInt.asUintN(32, low);
  return longMode
    ? { number: rcx, arguments: [rdx, r8], cpl, wordBytes: 8 }
    : { number: pair(rdx, rax), arguments: [pair(rbx, rcx), pair(rdi, rsi)], cpl, wordBytes: 4 };
}

function describe(event: HypercallEvent): Description {
  const input = inputValue(event.number);
  const { result = 0n } = event;
  const status = Number(result & 0xffffn);
  const completed = Number((result >> 32n) & 0xfffn);
  const names = input.fast ? ['parameter1', 'parameter2'] : ['input', 'output'];
  const statusText = hypervStatuses[status] ?? `status ${status}`;
  return {
    name: hypervCalls[input.code]?.name ?? `call 0x${input.code.toString(16)}`,
    arguments: [
      ...namedArguments(['control'], [event.number], [formText(input)]),
      ...namedArguments(names, event.arguments, [event.text]),
    ],
    resultText: input.repCount ? `${statusText}, ${completed} of ${input.repCount} done` : statusText,
  };
}

function formText({ fast, variableHeader, repCount, repStart }: InputValue): string {
  return [
    fast ? 'fast' : 'by memory',
    ...(variableHeader > 0 ? [`variable header of ${variableHeader} bytes`] : []),
    ...(repCount > 0 ? [`${repCount} repetitions${repStart > 0 ? ` from ${repStart}` : ''}`] : []),
  ].join(', ');
}
