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

/** Guest memory: virtual as the calling vCPU sees it, and physical. Reads and writes stop short where nothing is mapped. */
export interface GuestMemory {
  readVirtual(address: bigint, length: number): Uint8Array;
  /** Bytes written. */
  writeVirtual(address: bigint, bytes: Uint8Array): number;
  readPhysical(address: bigint, length: number): Uint8Array;
  /** Bytes written. */
  writePhysical(address: bigint, bytes: Uint8Array): number;
  /**
   * Sets, or clears, bits of one byte of RAM while other vCPUs may do the same; gives the byte as it was, undefined
   * outside of RAM.
   */
  changeBits(address: bigint, bits: number, on: boolean): number | undefined;
}

/** What the answer to a call may use of the machine. */
export interface Platform {
  readonly memory: GuestMemory;
  /** The calling vCPU, and how many there are. */
  readonly vcpu: number;
  readonly cpus: number;
  /** Runs of RAM, ascending, in bytes; the first one starts at 0. */
  readonly ram: readonly { readonly gpa: number; readonly size: number }[];
  /** {@link HYPERCALL_STATE_BYTES} bytes, shared by all vCPUs; the devices' lock is held during an answer. */
  readonly state: DataView;
  /** XMM0 to XMM5 of the caller, 96 bytes. */
  xmm(): Uint8Array;
  /** Microseconds of guest time. */
  now(): number;
  /**
   * Sends an edge-triggered interrupt to the local APIC of a vCPU, with the delivery mode of the SDM (fixed when absent);
   * false when nobody takes it.
   */
  interrupt(vcpu: number, vector: number, deliveryMode?: number): boolean;
}

/** The result that a caller finds in RAX, where it is an `int` of 32-bit code, as 64 bits. */
export const resultIn = (rax: bigint, wordBytes: Call['wordBytes']): bigint =>
  wordBytes === 8 ? rax : BigInt.asUintN(64, BigInt.asIntN(32, rax));

/** Bytes of shared, zeroed memory that a convention keeps its state in. */
export const HYPERCALL_STATE_BYTES = 16 * 1024;

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
  /** Calls that were made by this one, each with its answer; they are recorded before it. */
  readonly inner?: readonly { readonly call: Call; readonly answer: Answer }[];
  /** Vector of an exception that the guest gets instead of a result. */
  readonly exception?: number;
}

export interface CpuidLeaf {
  readonly leaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface MsrRange {
  readonly first: number;
  readonly count: number;
}

/** Names for one recorded call. */
export interface Description {
  readonly name: string;
  readonly arguments: readonly HypercallArgument[];
  readonly resultText?: string;
}

export interface HypercallAbi {
  readonly name: HypercallAbiName;
  /** The hypervisor leaves from 0x40000000 on that announce this convention to a vCPU. */
  cpuid(vcpu: number, features: HostFeatures): readonly CpuidLeaf[];
  /** MSRs that must reach us instead of KVM; none for a convention without a hypercall page. */
  msrs(features: HostFeatures): readonly MsrRange[];
  /** The value that the guest reads; undefined, a general protection fault, when there is no such MSR. */
  readMsr(index: number, platform: Platform): bigint | undefined;
  /** False, a general protection fault, when there is no such MSR or the value is wrong. */
  writeMsr(index: number, value: bigint, platform: Platform): boolean;
  decode(registers: CallRegisters): Call;
  /** Never throws, whatever the guest asks for. */
  answer(call: Call, platform: Platform): Answer;
  /** Registers that take the result back to the guest. */
  results(result: bigint, longMode: boolean): Partial<Record<ResultRegister, bigint>>;
  describe(event: HypercallEvent): Description;
}

export type ResultRegister = 'rax' | 'rdx';

/** What this host's KVM has that a convention builds upon. */
export interface HostFeatures {
  /** KVM answers the synthetic MSRs of Hyper-V itself, SynIC and timers included (KVM_CAP_HYPERV, KVM_CAP_HYPERV_SYNIC2). */
  readonly hypervMsrs: boolean;
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
