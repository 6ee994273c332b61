/**
 * Xen's hypercall convention for HVM guests (xen/include/public): announced at CPUID 0x40000000, called through a page
 * that the hypervisor fills when the guest writes its address to an MSR. 64-bit callers pass the number in RAX and up to
 * five arguments in RDI, RSI, RDX, R10, R8; 32-bit callers in EBX, ECX, EDX, ESI, EDI.
 */
import type { HypercallEvent } from '../protocol/hypercall-event.ts';
import {
  type Call,
  type CallRegisters,
  type CpuidLeaf,
  type Description,
  type HypercallAbi,
  type Platform,
  signature,
} from './abi.ts';
import { errorText, namedArguments } from './describe.ts';
import { indexedPage } from './hypercall-page.ts';
import { answerXen, VERSION } from './xen-answers.ts';
import { DOMAIN_ID } from './xen-call.ts';
import { xenCalls, xenErrors } from './xen-names.ts';

const BASE_LEAF = 0x4000_0000;
/** The MSR that CPUID leaf 0x40000002 names. */
const XEN_HYPERCALL_MSR = 0x4000_0000;
/** `iret` cannot be called here: it takes a frame from the stack, which only paravirtual guests have. */
const IRET = 23;
const PAGE = 4096;
/** Leaf 4 EAX: EBX is the vCPU's number (3), ECX the domain's (4), events by a vector for each vCPU (6). */
const HVM_FEATURES = (1 << 3) | (1 << 4) | (1 << 6);

export const xen: HypercallAbi = {
  name: 'xen',
  cpuid,
  msrs: () => [{ first: XEN_HYPERCALL_MSR, count: 0x100 }],
  readMsr: () => undefined,
  writeMsr,
  decode,
  answer: answerXen,
  results: (result, longMode) => ({ rax: longMode ? result : BigInt.asUintN(32, result) }),
  describe,
};

function cpuid(vcpu: number): CpuidLeaf[] {
  return [
    { leaf: BASE_LEAF, eax: BASE_LEAF + 4, ...signature('XenVMMXenVMM') },
    { leaf: BASE_LEAF + 1, eax: VERSION, ebx: 0, ecx: 0, edx: 0 },
    // One hypercall page, at the address written to this MSR.
    { leaf: BASE_LEAF + 2, eax: 1, ebx: XEN_HYPERCALL_MSR, ecx: 0, edx: 0 },
    { leaf: BASE_LEAF + 3, eax: 0, ebx: 0, ecx: 0, edx: 0 },
    { leaf: BASE_LEAF + 4, eax: HVM_FEATURES, ebx: vcpu, ecx: DOMAIN_ID, edx: 0 },
  ];
}

/** The low bits number the page; there is one. */
function writeMsr(index: number, value: bigint, { memory }: Platform): boolean {
  if (index !== XEN_HYPERCALL_MSR || value % BigInt(PAGE) !== 0n) return false;
  return memory.writePhysical(value, indexedPage([IRET])) === PAGE;
}

function decode(registers: CallRegisters): Call {
  const { rax, rbx, rcx, rdx, rsi, rdi, r8, r10, longMode, cpl } = registers;
  const narrow = (value: bigint) => BigInt.asUintN(32, value);
  return longMode
    ? { number: rax, arguments: [rdi, rsi, rdx, r10, r8], cpl, wordBytes: 8 }
    : { number: narrow(rax), arguments: [rbx, rcx, rdx, rsi, rdi].map(narrow), cpl, wordBytes: 4 };
}

function describe(event: HypercallEvent): Description {
  const call = event.number < 56n ? xenCalls[Number(event.number)] : undefined;
  const result = errorText(event.result, xenErrors);
  const resultText = result !== undefined && { resultText: result };
  if (!call) {
    return {
      name: `hypercall ${event.number}`,
      arguments: namedArguments(['arg1', 'arg2', 'arg3', 'arg4', 'arg5'], event.arguments),
      ...resultText,
    };
  }
  const operation = call.operationInMemory ? event.text : operationName(call.operations, event.arguments[0]);
  // Other text that was read from guest memory belongs to the pointer, the last argument.
  const texts = call.arguments.map((_, index) => (index === 0 ? operation : undefined));
  if (event.text !== undefined && !call.operationInMemory && texts.length > 1) texts[texts.length - 1] = event.text;
  return {
    name: operation === undefined ? call.name : `${call.name}: ${operation}`,
    arguments: namedArguments(call.arguments, event.arguments, texts),
    ...resultText,
  };
}

function operationName(
  operations: { names: Readonly<Record<number, string>>; mask?: bigint } | undefined,
  argument: bigint | undefined,
): string | undefined {
  if (!operations || argument === undefined) return undefined;
  // Sub-operations are C ints: the upper half of the register does not count.
  const number = Number(BigInt.asUintN(32, argument) & (operations.mask ?? 0xffff_ffffn));
  return operations.names[number];
}
