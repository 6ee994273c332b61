import type { SymbolIndex } from '../../symbols/api.ts';
import { symbolOffset } from '../stacks.ts';

/** `symbol+0x10` for an address inside one of the image's sections; undefined for any other number. */
export function symbolName(symbols: SymbolIndex | undefined, address: bigint): string | undefined {
  const inside = symbols?.sections.some(({ address: start, size }) => address >= start && address < start + size);
  const symbol = inside ? symbols?.symbolAt(address) : undefined;
  return symbol && symbolOffset(symbol, address);
}
