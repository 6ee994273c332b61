/** DWARF register numbers: x86-64 psABI 1.0 figure 3.36, i386 psABI 1.1 table 2.14. */

const x86 = 'rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip'.split(' ');
const i386 = 'eax ecx edx ebx esp ebp esi edi eip eflags'.split(' ');
const segments = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

const numbered = (names: readonly string[], first: number): [number, string][] =>
  names.map((name, index) => [first + index, name]);
const series = (prefix: string, count: number, first: number): [number, string][] =>
  Array.from({ length: count }, (_, index) => [first + index, `${prefix}${index}`]);

const tables = {
  'x86-64': new Map([
    ...numbered(x86, 0),
    ...series('xmm', 16, 17),
    ...series('st', 8, 33),
    ...series('mm', 8, 41),
    [49, 'eflags'] as const,
    ...numbered(segments, 50),
    [58, 'fs_base'] as const,
    [59, 'gs_base'] as const,
  ]),
  i386: new Map([
    ...numbered(i386, 0),
    ...series('st', 8, 11),
    ...series('xmm', 8, 21),
    ...series('mm', 8, 29),
    ...numbered(segments, 40),
  ]),
} as const;

export const tableFor = (machine: 'x86-64' | 'i386'): ReadonlyMap<number, string> => tables[machine];
