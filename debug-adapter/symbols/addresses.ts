/**
 * How the index stores addresses. A `bigint` for each of millions of rows would be slow and large, and a float64 loses
 * the low bits of an unsigned kernel address. So inside this room an address is a *distance*: a signed number, counted
 * from one origin within the image, exact as long as the image spans less than 2^53 bytes. The border converts, and a
 * relocated image needs another origin and nothing else.
 */
export class Addresses {
  private readonly originLow: number;
  private readonly originHigh: number;
  private readonly mask: bigint;

  /** @param wordSize Bytes in an address of the image: 4 or 8. */
  constructor(
    private readonly origin: bigint,
    readonly wordSize: 4 | 8,
  ) {
    this.originLow = Number(BigInt.asUintN(32, origin));
    this.originHigh = Number(BigInt.asUintN(32, origin >> 32n));
    this.mask = wordSize === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  }

  /** NaN, which compares as outside of everything, when the address is too far away to be exact. */
  toDistance(address: bigint): number {
    const wrapped =
      this.wordSize === 8 ? BigInt.asIntN(64, address - this.origin) : (address & this.mask) - this.origin;
    const distance = Number(wrapped);
    return Number.isSafeInteger(distance) ? distance : Number.NaN;
  }

  toAddress(distance: number): bigint {
    return (this.origin + BigInt(distance)) & this.mask;
  }

  /** Where in the guest the image's upper half was moved to, as against the file: KASLR's slide. */
  slide = 0n;

  /** Of an address in the guest; {@link toDistance} is for those in the file. */
  fromGuest(address: bigint): number {
    return this.toDistance(this.isUpper(address) ? (address - this.slide) & this.mask : address);
  }

  toGuest(distance: number): bigint {
    return this.moved(this.toAddress(distance));
  }

  /** An address in the file as it is in the guest. Linux moves its upper half; per-CPU variables, at 0, are offsets. */
  moved(address: bigint): bigint {
    return this.isUpper(address) ? (address + this.slide) & this.mask : address;
  }

  isUpper(address: bigint): boolean {
    return address > this.mask >> 1n;
  }

  /** Reads an address of the image's word size without making a `bigint`. */
  read(view: DataView, at: number): number {
    const low = view.getUint32(at, true);
    if (this.wordSize === 4) return low - this.originLow;
    const high = (view.getUint32(at + 4, true) - this.originHigh) | 0;
    const distance = high * 2 ** 32 + (low - this.originLow);
    return Number.isSafeInteger(distance) ? distance : Number.NaN;
  }
}

/** Half-open range of distances. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

export const contains = (ranges: readonly Range[], distance: number): boolean =>
  ranges.some((range) => distance >= range.low && distance < range.high);

/** Index of the last element whose key is at most `key` in a list sorted by key; -1 when there is none. */
export function lastAtMost(length: number, keyOf: (index: number) => number, key: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keyOf(middle) <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** As many keys are told apart by their position in the list; more than an image has symbols or functions. */
const orderBits = 21;
/** Keys below this keep their position beside them in the 53 bits that a number is exact for. */
const packable = 2 ** (52 - orderBits);

/**
 * The order that sorts `keys`, equal ones as they stand: by packing each position behind its key, which is ten times as
 * fast as comparing by a function, as long as the keys are not too far apart.
 */
export function sortedOrder(keys: Float64Array): Uint32Array {
  const { length } = keys;
  const order = new Uint32Array(length);
  if (length <= 2 ** orderBits && keys.every((key) => Number.isInteger(key) && Math.abs(key) < packable)) {
    const packed = keys.map((key, index) => key * 2 ** orderBits + index).sort();
    for (let at = 0; at < length; at++) {
      const key = packed[at] as number;
      order[at] = key - Math.floor(key / 2 ** orderBits) * 2 ** orderBits;
    }
    return order;
  }
  for (let at = 0; at < length; at++) order[at] = at;
  return order.sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
}
