import type { Hex } from '../../../hypervisor-core/protocol/hex.ts';
import type { SymbolIndex } from '../../symbols/api.ts';
import { symbolOffset } from '../../symbols/readable-name.ts';

/** `symbol+0x10` for an address inside one of the image's sections; undefined for any other number. */
export function symbolName(symbols: SymbolIndex | undefined, address: bigint): string | undefined {
  const inside = symbols?.sections.some(({ address: start, size }) => address >= start && address < start + size);
  const symbol = inside ? symbols?.symbolAt(address) : undefined;
  return symbol && symbolOffset(symbol, address);
}

/** The names of those addresses that have one, each looked up once. */
export function symbolNames(
  symbols: SymbolIndex | undefined,
  addresses: readonly Hex[],
): Readonly<Record<Hex, string>> {
  const names: Record<Hex, string> = {};
  for (const address of new Set(addresses)) {
    const name = symbolName(symbols, BigInt(address));
    if (name !== undefined) names[address] = name;
  }
  return names;
}
