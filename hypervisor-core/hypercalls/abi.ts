/** What a hypercall convention is to the rest of the core: who it says it is, what it answers, how a call reads. */
import type { HypercallAbiName, HypercallEvent } from '../protocol/hypercall-event.ts';
import type { GuestEnd, HypercallArgument } from '../protocol/inspect.ts';

/** General registers of the calling vCPU at the call, and how it was running. */
export interface CallRegisters {
  readonly rax: bigint;
  readonly rbx: bigint;
  readonly rcx: bigint;
  readonly rdx: bigint;
  readonly rsi: bigint;
  readonly rdi: bigint;
  readonly rbp: bigint;
  readonly r8: bigint;
  readonly r9: bigint;
  readonly r10: bigint;
  /** CS.L: the 64-bit convention. */
  readonly longMode: boolean;
  readonly cpl: number;
}

/** Memory as the calling vCPU sees it. Both stop short where a page is not mapped. */
export interface GuestMemory {
  readVirtual(address: bigint, length: number): Uint8Array;
  /** Bytes written. */
  writeVirtual(address: bigint, bytes: Uint8Array): number;
}

/** A call as its registers say. */
export interface Call {
  readonly number: bigint;
  readonly arguments: readonly bigint[];
  readonly cpl: number;
  /** Bytes of a pointer or long in the caller's structures. */
  readonly wordBytes: 4 | 8;
}

/** What the guest gets, and what else must happen. */
export interface Answer {
  /** For RAX; two's complement errors already made unsigned. */
  readonly result: bigint;
  readonly console?: Uint8Array;
  readonly end?: GuestEnd;
  /** For {@link HypercallEvent.text}. */
  readonly text?: string;
}

export interface CpuidLeaf {
  readonly leaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** Names for one recorded call. */
export interface Description {
  readonly name: string;
  readonly arguments: readonly HypercallArgument[];
  readonly resultText?: string;
}

export interface HypercallAbi {
  readonly name: HypercallAbiName;
  /** The hypervisor leaves from 0x40000000 on that announce this convention. */
  readonly cpuid: readonly CpuidLeaf[];
  /** What the guest's hypercall page must hold, when the convention has one. */
  page?(): Uint8Array;
  decode(registers: CallRegisters): Call;
  /** Never throws, whatever the guest asks for. */
  answer(call: Call, memory: GuestMemory): Answer;
  describe(event: HypercallEvent): Description;
}

/** Twelve characters for EBX, ECX, EDX. */
export function signature(text: string): Pick<CpuidLeaf, 'ebx' | 'ecx' | 'edx'> {
  const word = (at: number) => [0, 1, 2, 3].reduce((sum, byte) => sum + text.charCodeAt(at + byte) * 256 ** byte, 0);
  return { ebx: word(0), ecx: word(4), edx: word(8) };
}

/** Printable text for a trace: control characters become dots, and it ends after `most` characters. */
export function printable(bytes: Uint8Array, most = 60): string {
  const characters = Array.from(bytes.subarray(0, most), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 0x0a ? '\\n' : '.',
  );
  return characters.join('') + (bytes.length > most ? '…' : '');
}
