/** What lies at a range of addresses, by the image: the sections that it touches, or a symbol inside one of them. */
import type { SymbolIndex } from '../../symbols/api.ts';
import { symbolName } from './symbol-name.ts';

/** Sections that are named; the rest are counted. */
const MOST_NAMES = 3;

/** `.text .rodata .data and 2 more`; `.text kernel_main+0x10` for a range inside one section; undefined outside all. */
export function regionName(symbols: SymbolIndex | undefined, start: bigint, size: bigint): string | undefined {
  const touched = (symbols?.sections ?? []).filter(
    (section) => section.size > 0n && section.address < start + size && section.address + section.size > start,
  );
  const [only] = touched;
  if (!only) return undefined;
  const symbol = touched.length === 1 && only.address < start ? symbolName(symbols, start) : undefined;
  if (symbol !== undefined) return `${only.name} ${symbol}`;
  const names = touched.slice(0, MOST_NAMES).map(({ name }) => name);
  const more = touched.length - names.length;
  return [...names, ...(more > 0 ? [`and ${more} more`] : [])].join(' ');
}
