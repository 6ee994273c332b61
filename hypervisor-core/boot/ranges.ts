/** Arithmetic on address ranges. */
import type { AddressRange } from './boot-image.ts';

export function lower(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

export function higher(a: bigint, b: bigint): bigint {
  return a === lower(a, b) ? b : a;
}

/** `ranges` without `holes`, ascending when `ranges` are. */
export function subtract(ranges: readonly AddressRange[], holes: readonly AddressRange[]): AddressRange[] {
  const sorted = holes.toSorted((a, b) => (a.start < b.start ? -1 : 1));
  return ranges.flatMap((range) => {
    const left: AddressRange[] = [];
    let at = range.start;
    for (const hole of sorted) {
      if (hole.end <= at || hole.start >= range.end) continue;
      if (hole.start > at) left.push({ start: at, end: hole.start });
      at = hole.end;
    }
    if (at < range.end) left.push({ start: at, end: range.end });
    return left;
  });
}

export function showRange(range: AddressRange): string {
  return `0x${range.start.toString(16)}-0x${range.end.toString(16)}`;
}
