/**
 * Addresses and registers cross JSON as hexadecimal strings, because JSON numbers lose bits above 2^53.
 * Inside the program they are `bigint`.
 */
export type Hex = `0x${string}`;

/** Formats an unsigned value; negative input is taken as 64-bit two's complement. */
export function hex(value: bigint | number): Hex {
  const wide = typeof value === 'bigint' ? value : BigInt(value);
  return `0x${BigInt.asUintN(64, wide).toString(16)}`;
}

/** Parses what {@link hex} made. Throws a `RangeError` on anything that is not `0x` and 1 to 16 hexadecimal digits. */
export function parseHex(text: string): bigint {
  if (!/^0x[0-9a-fA-F]{1,16}$/.test(text)) throw new RangeError(`not a hexadecimal number: ${text.slice(0, 40)}`);
  return BigInt(text);
}
