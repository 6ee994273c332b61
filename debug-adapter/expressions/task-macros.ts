/**
 * `$task`, `$pid` and `$tgid`: of the task that a Linux guest's vCPU runs, in the words that the kernel's own `current` stands
 * for: arch/x86/include/asm/current.h.
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
  const current = has('__per_cpu_offset') ? `this_cpu_read(${pointer})` : pointer;
  return { body: `${current}->${member}` };
}
