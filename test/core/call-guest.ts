/** Assembles guests that make hypercalls one after another and log what each one gave back. */
import { DATA, imm32 } from './tiny-guest.ts';

/** Where the hypercall page is. */
export const HYPERCALL_PAGE = 0x160000n;
/** Memory for arguments, mapped and physical address alike. */
export const ARGUMENTS = 0x190000n;

/** REX and opcode of `mov r64, imm64`. */
const MOV = {
  rax: [0x48, 0xb8],
  rcx: [0x48, 0xb9],
  rdx: [0x48, 0xba],
  rbx: [0x48, 0xbb],
  rsi: [0x48, 0xbe],
  rdi: [0x48, 0xbf],
  r8: [0x49, 0xb8],
  r10: [0x49, 0xba],
} as const;
export type CallRegister = keyof typeof MOV;

const imm64 = (value: bigint) => [...new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, value)).buffer)];

export interface GuestCall {
  readonly registers: Partial<Record<CallRegister, bigint>>;
  /** Offset of the entry in the hypercall page; absent: `instruction` is the call. */
  readonly entry?: number;
  readonly instruction?: readonly number[];
}

/** wrmsr */
export const writeMsr = (index: number, value: bigint): number[] => [
  ...[0xb9, ...imm32(index), 0xb8, ...imm32(value & 0xffff_ffffn), 0xba, ...imm32(value >> 32n), 0x0f, 0x30],
];

/** Lets SSE instructions run (CR4.OSFXSR) and loads XMM0 to XMM5 with 96 bytes from `from`. */
export const loadXmm = (from: bigint): number[] => [
  ...[0x0f, 0x20, 0xe0, 0x0d, ...imm32(0x600), 0x0f, 0x22, 0xe0],
  ...[0, 1, 2, 3, 4, 5].flatMap((number) => [
    0xf3,
    0x0f,
    0x6f,
    0x04 | (number << 3),
    0x25,
    ...imm32(from + BigInt(16 * number)),
  ]),
];

/** Code that makes the calls, each with its registers, and keeps RAX after the n-th at {@link DATA} + 8 n. */
export function callCode(calls: readonly GuestCall[], before: readonly number[] = []): number[] {
  const made = calls.flatMap(({ registers, entry, instruction = [] }, index) => [
    ...Object.entries(registers).flatMap(([name, value]) => [...MOV[name as CallRegister], ...imm64(value)]),
    // mov r11, entry; call r11
    ...(entry === undefined ? instruction : [0x49, 0xbb, ...imm64(HYPERCALL_PAGE + BigInt(entry)), 0x41, 0xff, 0xd3]),
    // mov [DATA + 8 * index], rax
    ...[0x48, 0x89, 0x04, 0x25, ...imm32(DATA + BigInt(8 * index))],
  ]);
  // out 0xf4, al: the end
  return [...before, ...made, 0xe6, 0xf4];
}

/** What the guest logged. */
export const logged = (read: (gpa: bigint, length: number) => Uint8Array, count: number): bigint[] => [
  ...new BigUint64Array(Uint8Array.from(read(DATA, 8 * count)).buffer),
];
