/** How far from its place in the image a CPU's own copy of a variable is, as Linux finds it on x86-64: an expression. */
import type { BinaryOperator, Node } from './syntax.ts';

/** Of the CPU with the number `cpu`. */
export function offsetOfCpu(cpu: Node, at: number): Node {
  return { kind: 'index', object: { kind: 'name', name: '__per_cpu_offset', at }, index: cpu, at };
}

/**
 * Of the CPU that runs: `(long)($cs & 3 || (long)$gs_base >= 0 ? $k_gs_base : $gs_base)`. The kernel's GS base waits in MSR
 * KERNEL_GS_BASE while user code runs, up to the SWAPGS of an entry, and from that of an exit on; the kernel's is negative, a
 * user's is not: Documentation/arch/x86/entry_64.rst.
 */
export function offsetHere(at: number): Node {
  const register = (name: string): Node => ({ kind: 'register', name, at });
  const integer = (value: bigint): Node => ({ kind: 'integer', value, decimal: true, suffix: '', at });
  const long = (operand: Node): Node => ({
    kind: 'cast',
    type: { kind: 'named-type', words: ['long'], at },
    operand,
    at,
  });
  const binary = (left: Node, operator: BinaryOperator, right: Node): Node => ({
    kind: 'binary',
    operator,
    left,
    right,
    at,
  });
  const inUserCode = binary(register('cs'), '&', integer(3n));
  const hasUserBase = binary(long(register('gs_base')), '>=', integer(0n));
  const test = binary(inUserCode, '||', hasUserBase);
  const [then, otherwise] = [register('k_gs_base'), register('gs_base')];
  return long({ kind: 'conditional', test, then, otherwise, at });
}
