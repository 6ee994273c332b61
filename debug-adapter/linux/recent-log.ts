/** The end of the kernel's log, where the words for what it has stopped at are. */
import type { Kernel } from './kernel.ts';
import { readLog } from './kernel-log.ts';
import { orNothing } from './linux-error.ts';

/** Records among which words are that are printed right before. */
const RECENT = 8;
/** The same where a call trace is printed in between. */
export const RECENT_TRACE = 150;

/** The last records' texts, oldest first; none where the log cannot be read. */
export async function recentLog(kernel: Kernel, records = RECENT): Promise<readonly string[]> {
  const log = await orNothing(() => readLog(kernel, records));
  return log?.items.map(({ text }) => text.trimEnd()) ?? [];
}

/** The last of the recent records that has `words`. */
export async function lastSaid(kernel: Kernel, words: RegExp, records = RECENT): Promise<string | undefined> {
  return (await recentLog(kernel, records)).findLast((text) => words.test(text));
}

/** What the kernel says of an RCU stall: the lines for each CPU and task that stalls are indented below the first. */
export async function saidOfStall(kernel: Kernel): Promise<string | undefined> {
  const lines = await recentLog(kernel, RECENT_TRACE);
  const first = lines.findLastIndex((text) => /^rcu: INFO: .* stalls? on CPU/.test(text));
  if (first < 0) return undefined;
  const below = lines.slice(first + 1);
  const end = below.findIndex((text) => !/^(rcu: )?(\t|All QSes seen)/.test(text));
  const all = [lines[first], ...below.slice(0, end < 0 ? below.length : end)];
  return all.map((text, n) => (n === 0 ? text : text?.replace(/^(rcu: )?\t?/, ''))).join(' ');
}
