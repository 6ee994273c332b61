/** What a register of more than 64 bits holds, read in each of the ways that its instructions do. Names are gdb's. */

export interface Lanes {
  /** `v4_float`, `v16_int8`, ... */
  readonly name: string;
  readonly values: readonly string[];
}

type Read = (view: DataView, at: number) => bigint | number;

/** Name of an element, its bytes, how it is read. */
const elements: readonly (readonly [string, number, Read])[] = [
  ['float', 4, (view, at) => view.getFloat32(at, true)],
  ['double', 8, (view, at) => view.getFloat64(at, true)],
  ['int8', 1, (view, at) => view.getInt8(at)],
  ['int16', 2, (view, at) => view.getInt16(at, true)],
  ['int32', 4, (view, at) => view.getInt32(at, true)],
  ['int64', 8, (view, at) => view.getBigInt64(at, true)],
];

/** Lanes of an XMM, YMM or ZMM register, the lowest first; nothing for other widths. */
export function vectorLanes(bits: number, value: bigint): Lanes[] {
  if (bits !== 128 && bits !== 256 && bits !== 512) return [];
  const view = littleEndian(bits / 8, value);
  return elements.map(([name, size, read]) => {
    const count = bits / 8 / size;
    const values = Array.from({ length: count }, (_, lane) => numberText(read(view, lane * size)));
    return { name: `v${count}_${name}`, values };
  });
}

/** The number in an 80-bit x87 register, as near as a double comes to it. Intel SDM vol. 1 4.2.2. */
export function x87Number(value: bigint): string {
  const significand = BigInt.asUintN(64, value);
  const exponent = Number((value >> 64n) & 0x7fffn);
  const sign = (value >> 79n) & 1n ? -1 : 1;
  if (exponent === 0x7fff)
    return BigInt.asUintN(63, value) === 0n ? numberText(sign * Number.POSITIVE_INFINITY) : 'NaN';
  // In two steps, because the power alone may be out of a double's range where the product is not.
  const scale = Math.max(exponent, 1) - 16383 - 63;
  const half = Math.trunc(scale / 2);
  return numberText(sign * Number(significand) * 2 ** half * 2 ** (scale - half));
}

const numberText = (value: bigint | number) => (Object.is(value, -0) ? '-0' : `${value}`);

function littleEndian(bytes: number, value: bigint): DataView {
  const view = new DataView(new ArrayBuffer(bytes));
  for (let at = 0; at < bytes; at += 8) view.setBigUint64(at, BigInt.asUintN(64, value >> BigInt(8 * at)), true);
  return view;
}
