/** Which processes run out of a folder, by /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Command lines of processes that name a file ending in `program` below `folder`. */
export function runningFrom(folder: string, program: RegExp): string[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((words) => words.some((word) => word.startsWith(folder) && program.test(word)))
    .map((words) => words.join(' '));
}

/** A process may end while it is being looked at. */
function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
