/** Breakpoints that stop in one task of a Linux guest: their conditions, and the names that they are proposed for. */

/** The fields of DAP's CompletionItem that are used here. */
export interface Completion {
  readonly label: string;
  readonly type?: string;
}

/** A binding to a task, with or without more that is to hold. */
const BOUND = /^(?:\((.*)\) && )?\$pid == \d+$/s;

/** @param already the condition of a breakpoint that there is; one for another task is for this one then */
export function conditionForTask(pid: number, already = ''): string {
  const bound = BOUND.exec(already.trim());
  const more = bound ? (bound[1] ?? '') : already.trim();
  return `${more === '' ? '' : `(${more}) && `}$pid == ${pid}`;
}

/** The names of symbols, which the adapter completes as values, each once. */
export function symbolsAmong(completions: readonly Completion[]): readonly string[] {
  const names = completions.filter(({ type }) => type === 'value').map(({ label }) => label);
  return [...new Set(names)];
}
