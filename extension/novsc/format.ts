/** How numbers are written in the views. */
import type { Hex } from '../../debug-adapter/protocol/custom.ts';

/** `0x20`: at least two digits, as vectors and ports are written. */
export function byte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}

/** `0x0000_0000_fec0_0000` is hard to read in a proportional font; a plain address of a fixed width is not. */
export function address(value: Hex, digits = 8): string {
  return `0x${value.slice(2).padStart(digits, '0')}`;
}

/** `4 KiB`, `2 MiB`; exact multiples only lose their unit, all others get one decimal. */
export function size(bytes: bigint): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let unit = 0;
  let scaled = bytes;
  let rest = 0n;
  while (scaled >= 1024n && unit < units.length - 1) {
    rest = scaled % 1024n;
    scaled /= 1024n;
    unit++;
  }
  const decimal = (rest * 10n) / 1024n;
  return `${scaled}${decimal === 0n ? '' : `.${decimal}`} ${units[unit]}`;
}

/** `1.234 567 s` since the machine was made. */
export function time(microseconds: number): string {
  return `${(microseconds / 1e6).toFixed(6)}`;
}

/** `1,234,567`. */
export function count(number: number): string {
  return number.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** How long: `12.5 µs`, `3.4 ms`, `1.25 s`. */
export function duration(microseconds: number): string {
  if (microseconds < 1000) return `${microseconds.toFixed(1)} µs`;
  return microseconds < 1e6 ? `${(microseconds / 1000).toFixed(1)} ms` : `${(microseconds / 1e6).toFixed(2)} s`;
}

/** How often a second: `0`, `0.4`, `1,234`. */
export function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : count(perSecond);
}
