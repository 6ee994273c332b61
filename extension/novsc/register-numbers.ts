/** The number in a register in the ways that people read it. */
import type { Hex } from '../../debug-adapter/protocol/custom.ts';

export const NUMBER_FORMATS = ['hexadecimal', 'decimal', 'binary'] as const;
export type NumberFormat = (typeof NUMBER_FORMATS)[number];

/** Wider registers hold several numbers, which are their lanes; as one they are shown in hexadecimal alone. */
const WIDEST = 64;

/** `0b1010_0101` for binary, in groups of four bits from the right. */
export function registerNumber(value: Hex, bits: number, format: NumberFormat): string {
  if (format === 'hexadecimal' || bits > WIDEST) return value;
  const number = BigInt(value);
  if (format === 'decimal') return `${number}`;
  return `0b${number.toString(2).replace(/\B(?=(?:[01]{4})+$)/g, '_')}`;
}
