/**
 * Hypercalls that a guest makes by an instruction of its own (VMCALL or VMMCALL) instead of a page: KVM would answer them
 * in the kernel, unseen, or not at all. In the code of an ELF kernel each such instruction becomes `out HYPERCALL_PORT, al;
 * nop`, which is as long and comes to us. Kernels that patch themselves copy the new instruction as they would the old.
 */
import type { BootImage, BootSegment } from '../boot/boot-image.ts';
import { CALL_SITE } from '../hypercalls/hypercall-page.ts';
import { type CodeRange, isInstruction, opcodes } from './code-search.ts';
import type { GuestCode } from './guest-code.ts';

/** The second and the last byte of `0f 01 c1` and `0f 01 d9`: Intel SDM vol. 2, VMCALL; AMD APM vol. 3, VMMCALL. */
const SECOND = 0x01;
const VMCALL = 0xc1;
const VMMCALL = 0xd9;
const FIRST = 0x0f;
export const CALL_BYTES = 3;
/** More than any kernel has; a file that seems to have more is not what it seems. */
const MOST_SITES = 256;

/** The image with its call sites opened, and how many there are. */
export function openCallSites(image: BootImage): { readonly image: BootImage; readonly sites: number } {
  let sites = 0;
  const segments = image.segments.map((segment): BootSegment => {
    const found = callSites(segment);
    sites += found.length;
    if (found.length === 0 || sites > MOST_SITES) return segment;
    const bytes = Uint8Array.from(segment.bytes);
    for (const at of found) bytes.set(CALL_SITE, at);
    return { ...segment, bytes };
  });
  return sites > 0 && sites <= MOST_SITES ? { image: { ...image, segments }, sites } : { image, sites: 0 };
}

/** Offsets of the VMCALL and VMMCALL instructions in a segment's code. */
export function callSites({ bytes, code }: BootSegment): number[] {
  return (code?.ranges ?? []).flatMap((range) => callsIn(bytes, range, code?.bits ?? 64));
}

/** Linear addresses of these instructions in code that is in RAM now: of its first so many. */
export function callInstructions(code: Iterable<GuestCode>): bigint[] {
  const found = new Set<bigint>();
  for (const { bytes, bits, gvas } of code) {
    for (const at of callsIn(bytes, { start: 0, end: bytes.length }, bits)) {
      for (const gva of gvas) if (found.size < MOST_SITES) found.add(gva + BigInt(at));
    }
  }
  return [...found];
}

/** True for the bytes of VMCALL or VMMCALL. */
export const isCall = ([first, second, third]: Uint8Array): boolean =>
  first === FIRST && second === SECOND && (third === VMCALL || third === VMMCALL);

function callsIn(bytes: Uint8Array, range: CodeRange, bits: 16 | 32 | 64): number[] {
  const found: number[] = [];
  for (const at of opcodes(bytes, range, SECOND)) {
    if (at + CALL_BYTES > range.end || !isCall(bytes.subarray(at, at + CALL_BYTES))) continue;
    if (found.length <= MOST_SITES && isInstruction(bytes, range.start, at, bits)) found.push(at);
  }
  return found;
}
