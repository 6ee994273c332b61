/**
 * The bit fields of the system registers, under the names of the manuals: Intel SDM vol. 3A 2.3 (EFLAGS), 2.5 (control
 * registers), 13.3 (XCR0), 17.2 (debug registers), 24.4.1 (segment access rights), vol. 1 10.2.3 (MXCSR); AMD APM
 * vol. 2 3.1.7 (EFER). The target description turns them into gdb's flags types, the views into rows.
 */
export interface BitField {
  readonly name: string;
  /** First and last bit, both part of the field. */
  readonly low: number;
  readonly high: number;
  readonly description: string;
}

const bit = (position: number, name: string, description: string): BitField => ({
  name,
  low: position,
  high: position,
  description,
});
const bits = (low: number, high: number, name: string, description: string): BitField => ({
  name,
  low,
  high,
  description,
});

const EFLAGS: readonly BitField[] = [
  bit(0, 'CF', 'Carry'),
  bit(2, 'PF', 'Parity'),
  bit(4, 'AF', 'Auxiliary carry'),
  bit(6, 'ZF', 'Zero'),
  bit(7, 'SF', 'Sign'),
  bit(8, 'TF', 'Trap: single-step'),
  bit(9, 'IF', 'Interrupts enabled'),
  bit(10, 'DF', 'Direction: string instructions count down'),
  bit(11, 'OF', 'Overflow'),
  bits(12, 13, 'IOPL', 'I/O privilege level'),
  bit(14, 'NT', 'Nested task'),
  bit(16, 'RF', 'Resume: instruction breakpoints held off once'),
  bit(17, 'VM', 'Virtual-8086 mode'),
  bit(18, 'AC', 'Alignment check, or access to user pages under SMAP'),
  bit(19, 'VIF', 'Virtual interrupt flag'),
  bit(20, 'VIP', 'Virtual interrupt pending'),
  bit(21, 'ID', 'CPUID available'),
];

const CR0: readonly BitField[] = [
  bit(0, 'PE', 'Protection enabled'),
  bit(1, 'MP', 'Monitor coprocessor'),
  bit(2, 'EM', 'x87 emulation: x87 instructions raise #UD'),
  bit(3, 'TS', 'Task switched: x87 and SSE raise #NM'),
  bit(4, 'ET', 'Extension type'),
  bit(5, 'NE', 'Numeric errors raise #MF'),
  bit(16, 'WP', 'Write protection holds for the supervisor too'),
  bit(18, 'AM', 'Alignment mask'),
  bit(29, 'NW', 'Not write-through'),
  bit(30, 'CD', 'Caches disabled'),
  bit(31, 'PG', 'Paging enabled'),
];

/** Bits 0 to 11 are the PCID where CR4.PCIDE is set; otherwise bits 3 and 4 of them are PWT and PCD. */
const CR3: readonly BitField[] = [
  bits(0, 11, 'PCID', 'Process-context identifier; without CR4.PCIDE bit 3 is PWT and bit 4 PCD'),
  bits(12, 51, 'PDBR', 'Physical page number of the top page table'),
];

const CR4: readonly BitField[] = [
  bit(0, 'VME', 'Virtual-8086 extensions'),
  bit(1, 'PVI', 'Protected-mode virtual interrupts'),
  bit(2, 'TSD', 'RDTSC for the supervisor only'),
  bit(3, 'DE', 'Debugging extensions'),
  bit(4, 'PSE', '4 MiB pages in 32-bit paging'),
  bit(5, 'PAE', 'Physical-address extension'),
  bit(6, 'MCE', 'Machine-check exceptions'),
  bit(7, 'PGE', 'Global pages'),
  bit(8, 'PCE', 'RDPMC for user mode'),
  bit(9, 'OSFXSR', 'FXSAVE and SSE in use'),
  bit(10, 'OSXMMEXCPT', 'SSE errors raise #XM'),
  bit(11, 'UMIP', 'SGDT, SIDT, SLDT, SMSW, STR for the supervisor only'),
  bit(12, 'LA57', '5-level paging'),
  bit(13, 'VMXE', 'VMX enabled'),
  bit(14, 'SMXE', 'SMX enabled'),
  bit(16, 'FSGSBASE', 'RDFSBASE and its kin enabled'),
  bit(17, 'PCIDE', 'Process-context identifiers'),
  bit(18, 'OSXSAVE', 'XSAVE in use'),
  bit(19, 'KL', 'Key locker'),
  bit(20, 'SMEP', 'Supervisor must not execute user pages'),
  bit(21, 'SMAP', 'Supervisor must not access user pages'),
  bit(22, 'PKE', 'Protection keys for user pages'),
  bit(23, 'CET', 'Control-flow enforcement'),
  bit(24, 'PKS', 'Protection keys for supervisor pages'),
];

const CR8: readonly BitField[] = [bits(0, 3, 'TPL', 'Task priority: vectors of this class and below wait')];

const EFER: readonly BitField[] = [
  bit(0, 'SCE', 'SYSCALL enabled'),
  bit(8, 'LME', 'Long mode enabled'),
  bit(10, 'LMA', 'Long mode active'),
  bit(11, 'NXE', 'No-execute pages enabled'),
  bit(12, 'SVME', 'SVM enabled'),
  bit(13, 'LMSLE', 'Segment limits in long mode'),
  bit(14, 'FFXSR', 'Fast FXSAVE'),
  bit(15, 'TCE', 'Translation cache extension'),
];

const XCR0: readonly BitField[] = [
  bit(0, 'X87', 'x87 state'),
  bit(1, 'SSE', 'XMM registers and MXCSR'),
  bit(2, 'AVX', 'Upper halves of YMM registers'),
  bit(3, 'BNDREG', 'MPX bounds'),
  bit(4, 'BNDCSR', 'MPX configuration'),
  bit(5, 'OPMASK', 'AVX-512 masks'),
  bit(6, 'ZMM_HI256', 'Upper halves of ZMM0 to ZMM15'),
  bit(7, 'HI16_ZMM', 'ZMM16 to ZMM31'),
  bit(9, 'PKRU', 'Protection keys'),
  bit(17, 'TILECFG', 'AMX configuration'),
  bit(18, 'TILEDATA', 'AMX tiles'),
];

const MXCSR: readonly BitField[] = [
  bit(0, 'IE', 'Invalid operation'),
  bit(1, 'DE', 'Denormal'),
  bit(2, 'ZE', 'Divide by zero'),
  bit(3, 'OE', 'Overflow'),
  bit(4, 'UE', 'Underflow'),
  bit(5, 'PE', 'Precision'),
  bit(6, 'DAZ', 'Denormals are zeros'),
  bit(7, 'IM', 'Invalid operation masked'),
  bit(8, 'DM', 'Denormal masked'),
  bit(9, 'ZM', 'Divide by zero masked'),
  bit(10, 'OM', 'Overflow masked'),
  bit(11, 'UM', 'Underflow masked'),
  bit(12, 'PM', 'Precision masked'),
  bits(13, 14, 'RC', 'Rounding: nearest, down, up, towards zero'),
  bit(15, 'FZ', 'Flush to zero'),
];

const DR6: readonly BitField[] = [
  bit(0, 'B0', 'Breakpoint 0 met'),
  bit(1, 'B1', 'Breakpoint 1 met'),
  bit(2, 'B2', 'Breakpoint 2 met'),
  bit(3, 'B3', 'Breakpoint 3 met'),
  bit(11, 'BLD', 'No bus lock seen (set when clear of one)'),
  bit(13, 'BD', 'Debug register accessed'),
  bit(14, 'BS', 'Single step'),
  bit(15, 'BT', 'Task switch'),
  bit(16, 'RTM', 'Not inside a transaction (set when clear of one)'),
];

const DR7: readonly BitField[] = [
  ...[0, 1, 2, 3].flatMap((n) => [
    bit(2 * n, `L${n}`, `Breakpoint ${n} enabled for this task`),
    bit(2 * n + 1, `G${n}`, `Breakpoint ${n} enabled`),
  ]),
  bit(8, 'LE', 'Exact, this task'),
  bit(9, 'GE', 'Exact'),
  bit(11, 'RTM', 'Debugging of transactions'),
  bit(13, 'GD', 'Access to debug registers raises #DB'),
  ...[0, 1, 2, 3].flatMap((n) => [
    bits(16 + 4 * n, 17 + 4 * n, `RW${n}`, `Breakpoint ${n} on: execution, write, I/O, read or write`),
    bits(18 + 4 * n, 19 + 4 * n, `LEN${n}`, `Length of breakpoint ${n}: 1, 2, 8, 4 bytes`),
  ]),
];

const SEGMENT: readonly BitField[] = [
  bits(0, 3, 'TYPE', 'Segment type'),
  bit(4, 'S', 'Code or data, not a system segment'),
  bits(5, 6, 'DPL', 'Descriptor privilege level'),
  bit(7, 'P', 'Present'),
  bit(12, 'AVL', 'Available to software'),
  bit(13, 'L', '64-bit code'),
  bit(14, 'DB', '32-bit operands, or a 32-bit stack'),
  bit(15, 'G', 'Limit counts 4 KiB units'),
  bit(16, 'UNUSABLE', 'Null selector: the segment cannot be used'),
];

/** Bit fields by register name of the target description, lowest bit first. Registers without fields are not listed. */
export const registerBits: ReadonlyMap<string, readonly BitField[]> = new Map([
  ['eflags', EFLAGS],
  ['cr0', CR0],
  ['cr3', CR3],
  ['cr4', CR4],
  ['cr8', CR8],
  ['efer', EFER],
  ['dr6', DR6],
  ['dr7', DR7],
  ['xcr0', XCR0],
  ['mxcsr', MXCSR],
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].map((name) => [`${name}_attr`, SEGMENT] as const),
]);

/** The value of one field, shifted down to bit 0. */
export function fieldValue(value: bigint, field: BitField): bigint {
  return BigInt.asUintN(field.high - field.low + 1, value >> BigInt(field.low));
}

/** Names of the fields that are set, e.g. `IF ZF PF`, highest bit first; fields of more than a bit as `IOPL=3`. */
export function describeBits(register: string, value: bigint): string {
  return (registerBits.get(register) ?? [])
    .filter((field) => fieldValue(value, field) !== 0n)
    .map((field) => (field.high === field.low ? field.name : `${field.name}=${fieldValue(value, field)}`))
    .reverse()
    .join(' ');
}
