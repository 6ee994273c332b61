/**
 * Where the guest's code writes control registers: by MOV, CLTS and LMSW (Intel SDM vol. 2). KVM tells nobody of such
 * writes, so traps stand at these instructions.
 */
import { isInstruction, opcodes } from './code-search.ts';
import type { GuestCode } from './guest-code.ts';

/** An instruction that writes a control register. */
export interface ControlWrite {
  /** `cr0`, `cr3`, `cr4` or `cr8`. */
  readonly register: string;
  readonly gpa: number;
  /** Linear addresses by which it may run. */
  readonly gvas: readonly bigint[];
  /** The general register that a MOV takes the value from, by its name in 64-bit mode. */
  readonly source: string | undefined;
  /** What is there, as far as it tells the instruction. */
  readonly bytes: Uint8Array;
}

const MOV_TO_CR = 0x22;
const CLTS = 0x06;
/** With a 6 in the `reg` field of what follows, LMSW. */
const GROUP_7 = 0x01;
const LMSW = 6;
/** More are not planted; a kernel has some dozens. */
const MOST = 512;

/** The instructions in `code` that write one of `registers`. */
export function controlWrites(code: Iterable<GuestCode>, registers: ReadonlySet<string>): ControlWrite[] {
  const found = new Map<number, ControlWrite>();
  for (const piece of code) {
    for (const second of [MOV_TO_CR, CLTS, GROUP_7]) {
      for (const opcode of opcodes(piece.bytes, { start: 0, end: piece.bytes.length - 1 }, second)) {
        const write = writeAt(piece, opcode, registers);
        if (!write || found.size === MOST) continue;
        const gvas = new Set([...(found.get(write.gpa)?.gvas ?? []), ...write.gvas]);
        found.set(write.gpa, { ...write, gvas: [...gvas] });
      }
    }
  }
  return [...found.values()];
}

function writeAt({ bytes, bits, gpa, gvas }: GuestCode, opcode: number, registers: ReadonlySet<string>) {
  const [second = 0, modRm = 0] = bytes.subarray(opcode + 1);
  const rex = bits === 64 ? rexBefore(bytes, opcode) : undefined;
  const starts = [...(rex === undefined ? [] : [{ at: opcode - 1, rex }]), { at: opcode, rex: 0 }];
  for (const { at, rex } of starts) {
    const register = registerOf(second, modRm, rex);
    if (register === undefined || !registers.has(register) || !isInstruction(bytes, 0, at, bits)) continue;
    return {
      register,
      gpa: gpa + at,
      gvas: gvas.map((gva) => gva + BigInt(at)),
      source: second === MOV_TO_CR ? GENERAL[(modRm & 7) + (rex & 1 ? 8 : 0)] : undefined,
      bytes: bytes.slice(at, opcode + 3),
    };
  }
  return undefined;
}

/** As ModRM and REX.B number them. */
const GENERAL = [
  ...['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'],
  ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'],
];

function rexBefore(bytes: Uint8Array, opcode: number): number | undefined {
  const before = bytes[opcode - 1];
  return before !== undefined && (before & 0xf0) === 0x40 ? before : undefined;
}

function registerOf(second: number, modRm: number, rex: number): string | undefined {
  const reg = (modRm >> 3) & 7;
  if (second === CLTS) return 'cr0';
  if (second === GROUP_7) return reg === LMSW ? 'cr0' : undefined;
  const named = `cr${reg + (rex & 4 ? 8 : 0)}`;
  // The processor takes any `mod` for a register; assemblers write 3.
  return modRm >> 6 === 3 && /^cr[0348]$/.test(named) ? named : undefined;
}
