/** Checks on request arguments: a client may send anything. */
import { badArgument } from './errors.ts';

/** Throws unless `value` is an integer in [low, high]. */
export function integer(name: string, value: unknown, low: number, high: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
    throw badArgument(name, `must be an integer from ${low} to ${high}`);
  }
  return value;
}

/** As {@link integer}, with a default for an absent value. */
export function optionalInteger(name: string, value: unknown, low: number, high: number, absent: number): number {
  return value === undefined || value === null ? absent : integer(name, value, low, high);
}

/** Throws unless `value` is a string of at most `cap` characters. */
export function text(name: string, value: unknown, cap = 65_536): string {
  if (typeof value !== 'string') throw badArgument(name, 'must be a string');
  if (value.length > cap) throw badArgument(name, `is longer than ${cap} characters`);
  return value;
}

/** Throws unless `value` is an array of objects with at most `cap` elements; absent means empty. */
export function objects<Element extends object>(name: string, value: readonly Element[] | undefined, cap: number) {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw badArgument(name, 'must be an array');
  if (value.length > cap) throw badArgument(name, `has more than ${cap} elements`);
  if (value.some((element) => typeof element !== 'object' || element === null)) {
    throw badArgument(name, 'must hold objects');
  }
  return value as readonly Element[];
}

/** A memory or instruction reference: `0x` and 1 to 16 hexadecimal digits, or decimal. */
export function address(name: string, value: unknown): bigint {
  const reference = text(name, value, 64).trim();
  if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(reference)) throw badArgument(name, 'must be an address such as 0x1000');
  return BigInt.asUintN(64, BigInt(reference));
}
