/** A run of virtual memory as the runs of physical memory that it is made of. */
import { PAGE } from './memory-slots.ts';

const PAGE_MASK = BigInt(PAGE - 1);
const ADDRESS_MASK = (1n << 64n) - 1n;

/** Goes through the range page by page, until one is not mapped or `visit` handles fewer bytes than it was given. */
export function walkPages(
  translate: (gva: bigint) => bigint | undefined,
  gva: bigint,
  length: number,
  visit: (gpa: number, size: number) => number,
): void {
  for (let at = gva & ADDRESS_MASK, left = length; left > 0; ) {
    const size = Math.min(left, PAGE - Number(at & PAGE_MASK));
    const gpa = translate(at);
    if (gpa === undefined || visit(Number(gpa), size) < size) return;
    at = (at + BigInt(size)) & ADDRESS_MASK;
    left -= size;
  }
}
