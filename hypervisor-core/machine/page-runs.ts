/** A run of virtual memory as the runs of physical memory that it is made of. */
import { PAGE } from './memory-slots.ts';

const PAGE_MASK = BigInt(PAGE - 1);
const ADDRESS_MASK = (1n << 64n) - 1n;

/**
 * Goes through the range until a page is not mapped or `visit` handles fewer bytes than it was given. Pages that follow
 * each other in physical memory too are visited as one.
 */
export function walkPages(
  translate: (gva: bigint) => bigint | undefined,
  gva: bigint,
  length: number,
  visit: (gpa: number, size: number) => number,
): void {
  let run: { readonly gpa: number; size: number } | undefined;
  for (let at = gva & ADDRESS_MASK, left = length; left > 0; ) {
    const size = Math.min(left, PAGE - Number(at & PAGE_MASK));
    const gpa = translate(at);
    if (gpa === undefined) break;
    if (run && Number(gpa) === run.gpa + run.size) run.size += size;
    else {
      if (run && visit(run.gpa, run.size) < run.size) return;
      run = { gpa: Number(gpa), size };
    }
    at = (at + BigInt(size)) & ADDRESS_MASK;
    left -= size;
  }
  if (run) visit(run.gpa, run.size);
}
