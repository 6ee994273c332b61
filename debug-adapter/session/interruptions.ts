/** How 64-bit code of a range was left other than by a jump, a call or a return of its own, and where it goes on later. */
import type { LineRange } from '../symbols/api.ts';
import { decoderFor, LONGEST_INSTRUCTION } from './instruction-decoder.ts';
import { type StopState, wordAt } from './stop-state.ts';

export interface Interruption {
  /** Where the code may go on, none of which it has executed yet. */
  readonly places: readonly bigint[];
  /** Its stack pointer then. */
  readonly rsp: bigint;
}

const SYSCALL = [0x0f, 0x05];
/** Bits of RFLAGS that are always the same, and what they are; Intel SDM vol. 1 3.4.3. */
const FIXED_FLAGS = { mask: ~0x3f_7fd5n, value: 2n };

/** Of a vCPU that has just left `range`: a fault or interrupt put a frame on the stack; Intel SDM vol. 3A 6.14.2. */
export async function interruptedIn(
  state: StopState,
  thread: number,
  range: LineRange,
): Promise<Interruption | undefined> {
  const values = await state.values(thread);
  const bytes = await state.read(thread, values.get('rsp') ?? 0n, 48);
  for (const first of [0, 8]) {
    const [rip, cs, flags, rsp, ss] = [0, 8, 16, 24, 32].map((at) => wordAt(bytes, first + at));
    if (rip === undefined || rsp === undefined || cs === undefined || ss === undefined || flags === undefined) continue;
    if (rip < range.low || rip >= range.high || cs >= 0x10000n || ss >= 0x10000n || cs === 0n) continue;
    // Else it is the return address of a call, with what the caller had on its stack.
    if ((flags & FIXED_FLAGS.mask) !== FIXED_FLAGS.value) continue;
    // A handler may skip the instruction, as kernels do after a warning, or all of what is left.
    return { places: [...new Set([rip, await behind(state, thread, rip), range.high])], rsp };
  }
  return undefined;
}

async function behind(state: StopState, thread: number, rip: bigint): Promise<bigint> {
  const code = await state.read(thread, rip, LONGEST_INSTRUCTION);
  const decoder = await decoderFor(code, rip, 64, 'intel', 0n);
  try {
    return rip + BigInt(decoder.boundaryAt(0).length);
  } finally {
    decoder.dispose();
  }
}

/** The same for SYSCALL, which leaves the stack alone, and the address behind it in RCX; Intel SDM vol. 2B. */
export async function systemCallIn(
  state: StopState,
  thread: number,
  range: LineRange,
): Promise<Interruption | undefined> {
  const values = await state.values(thread);
  const [back, rsp] = [values.get('rcx') ?? 0n, values.get('rsp') ?? 0n];
  if (back <= range.low || back > range.high) return undefined;
  const code = await state.read(thread, back - 2n, SYSCALL.length);
  return SYSCALL.every((byte, at) => code[at] === byte) ? { places: [back], rsp } : undefined;
}

const IRET = 0xcf;

/** Whether the last instruction of `range` is, by its last byte, an IRET (IRETQ), which leads anywhere. */
export async function endsInIret(state: StopState, thread: number, range: LineRange): Promise<boolean> {
  const [last] = await state.read(thread, range.high - 1n, 1);
  return last === IRET;
}
