/** Addresses at which the symbols say that an instruction starts. */
import type { SymbolIndex } from '../symbols/api.ts';

/** Bounds the walk through symbols that a hostile image may pack densely. */
const MAX_STARTS = 4096;

/** Symbols and rows of line tables in `[low, high)`, ascending; those nearest to `high` where there are too many. */
export function instructionStarts(symbols: SymbolIndex | undefined, low: bigint, high: bigint): bigint[] {
  const starts: bigint[] = [];
  let next = high - 1n;
  while (symbols && next >= low && starts.length < MAX_STARTS) {
    const candidates = [symbols.symbolAt(next)?.address, symbols.lineAt(next)?.low];
    const start = candidates.reduce<bigint>(
      (best, each) => (each !== undefined && each > best && each <= next ? each : best),
      -1n,
    );
    if (start < low) break;
    starts.push(start);
    next = start - 1n;
  }
  return starts.reverse();
}
