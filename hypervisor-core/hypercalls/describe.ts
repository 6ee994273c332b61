/** Common ground of the conventions when they put names to numbers. */
import { hex } from '../protocol/hex.ts';
import type { HypercallArgument } from '../protocol/inspect.ts';

/** `-ENOSYS` for a result that is a negated error number; undefined for any other, and for none. */
export function errorText(result: bigint | undefined, errors: Readonly<Record<number, string>>): string | undefined {
  if (result === undefined) return undefined;
  const signed = BigInt.asIntN(64, result);
  if (signed >= 0n || signed < -4095n) return undefined;
  const name = errors[Number(-signed)];
  return name ? `-${name}` : String(signed);
}

/** The first `names.length` arguments; text is added to those that have some. */
export function namedArguments(
  names: readonly string[],
  values: readonly bigint[],
  texts: readonly (string | undefined)[] = [],
): HypercallArgument[] {
  return names.flatMap((name, index) => {
    const value = values[index];
    if (value === undefined) return [];
    const text = texts[index];
    return [{ name, value: hex(value), ...(text !== undefined && { text }) }];
  });
}

/** An error number as a register value. */
export function negative(error: number): bigint {
  return BigInt.asUintN(64, BigInt(-error));
}
