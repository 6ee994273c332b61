/**
 * The registers of a stub that sends no target description: GDB's own built-in layouts of a `g` packet for x86-64 and
 * i386 (gdb/features/i386/64bit-core.xml and 32bit-core.xml with their SSE parts). Which of the two, and whether the
 * floating-point and vector parts are there, shows in the length of the packet.
 */
import type { StubRegister } from './target.ts';

type Shape = readonly [names: readonly string[], bits: number, group: string];

const numbered = (prefix: string, first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `${prefix}${first + index}`);

const SELECTORS: Shape = [['cs', 'ss', 'ds', 'es', 'fs', 'gs'], 32, 'segment'];
const X87: readonly Shape[] = [
  [numbered('st', 0, 7), 80, 'float'],
  [['fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop'], 32, 'float'],
];
const sse = (last: number): readonly Shape[] => [
  [numbered('xmm', 0, last), 128, 'vector'],
  [['mxcsr'], 32, 'vector'],
];

const CORE_64: readonly Shape[] = [
  [['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', ...numbered('r', 8, 15), 'rip'], 64, 'general'],
  [['eflags'], 32, 'general'],
  SELECTORS,
];
/** Named as their 64-bit counterparts, as every register is in the adapter; their width tells them apart. */
const CORE_32: readonly Shape[] = [
  [['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'rip', 'eflags'], 32, 'general'],
  SELECTORS,
];

/** The longer layouts come first: a stub may send less than it could, never more. */
const LAYOUTS: readonly (readonly Shape[])[] = [
  [...CORE_64, ...X87, ...sse(15)],
  [...CORE_32, ...X87, ...sse(7)],
  [...CORE_64, ...X87],
  [...CORE_32, ...X87],
  CORE_64,
  CORE_32,
];

/** The layout of a `g` packet of `bytes` bytes; undefined for a length that is none of GDB's. */
export function defaultLayout(bytes: number): readonly StubRegister[] | undefined {
  return LAYOUTS.map(numberAll).find((layout) => layout.reduce((sum, { bits }) => sum + bits / 8, 0) === bytes);
}

function numberAll(shapes: readonly Shape[]): readonly StubRegister[] {
  return shapes
    .flatMap(([names, bits, group]) => names.map((name) => ({ name, bits, group })))
    .map((register, regnum) => ({ ...register, regnum }));
}
