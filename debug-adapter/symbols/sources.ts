/** Source files by path, and which of them a client's path means. */
import { posix } from 'node:path';

/**
 * The paths of `known` that `asked` names: itself; or, for a relative path, all that end in it; or, for an absolute one,
 * the one with the longest common end, because images are debugged on another machine than they were built on. Empty
 * where nothing or no single path fits best.
 */
export function matchSource(asked: string, known: readonly string[]): string[] {
  const path = posix.normalize(asked);
  if (known.includes(path)) return [path];
  const wanted = path.split('/').filter((part) => part !== '');
  const name = wanted.at(-1);
  if (name === undefined) return [];
  let best: string[] = [];
  let bestLength = 0;
  for (const candidate of known) {
    if (!candidate.endsWith(name)) continue;
    const length = commonEnd(wanted, candidate.split('/'));
    if (length === 0 || length < bestLength) continue;
    if (length > bestLength) best = [];
    bestLength = length;
    best.push(candidate);
  }
  if (!path.startsWith('/')) return bestLength === wanted.length ? best : [];
  return best.length === 1 ? best : [];
}

function commonEnd(a: readonly string[], b: readonly string[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[a.length - 1 - length] === b[b.length - 1 - length]) length++;
  return length;
}
