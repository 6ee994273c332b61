/**
 * `$task`, `$pid` and `$tgid`: of the task that a Linux guest's vCPU runs, in the words that the kernel's own `current` stands
 * for. Linux finds it by the GS base, arch/x86/include/asm/current.h; while user code runs, that waits in MSR KERNEL_GS_BASE.
 */
import type { Macro, SymbolIndex } from '../symbols/api.ts';

const MEMBERS: ReadonlyMap<string, string> = new Map([
  ['$task', 'comm'],
  ['$pid', 'pid'],
  ['$tgid', 'tgid'],
]);

export const taskMacroNames: readonly string[] = [...MEMBERS.keys()];

/** Undefined for another name, and where no Linux runs. */
export function taskMacro(name: string, symbols: SymbolIndex | undefined): Macro | undefined {
  const member = MEMBERS.get(name);
  if (!member || !symbols) return undefined;
  const has = (symbol: string) => symbols.symbolsNamed(symbol).length > 0;
  // Since 6.2 it shares a cache line with what else is needed at every entry.
  const pointer = has('pcpu_hot') ? 'pcpu_hot.current_task' : has('current_task') ? 'current_task' : undefined;
  if (!pointer) return undefined;
  // A kernel for one CPU has it but once.
  const base = has('__per_cpu_offset') ? '(unsigned long)($cs & 3 ? $k_gs_base : $gs_base)' : '0UL';
  return { body: `(*(struct task_struct **)((unsigned long)&${pointer} + ${base}))->${member}` };
}
