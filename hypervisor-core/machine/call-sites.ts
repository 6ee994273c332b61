/**
 * Hypercalls that a guest makes by an instruction of its own (VMCALL or VMMCALL) instead of a page: KVM would answer them
 * in the kernel, unseen, or not at all. In the code of an ELF kernel each such instruction becomes `out HYPERCALL_PORT, al;
 * nop`, which is as long and comes to us. Kernels that patch themselves copy the new instruction as they would the old.
 */
import type { BootImage, BootSegment } from '../boot/boot-image.ts';
import { CALL_SITE } from '../hypercalls/hypercall-page.ts';
import { isInstruction, opcodes } from './code-search.ts';

/** The second and the last byte of `0f 01 c1` and `0f 01 d9`: Intel SDM vol. 2, VMCALL; AMD APM vol. 3, VMMCALL. */
const SECOND = 0x01;
const VMCALL = 0xc1;
const VMMCALL = 0xd9;
const INSTRUCTION_BYTES = 3;
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
  return (code?.ranges ?? []).flatMap((range) => {
    const found: number[] = [];
    for (const at of opcodes(bytes, range, SECOND)) {
      const third = bytes[at + 2];
      if (at + INSTRUCTION_BYTES > range.end || (third !== VMCALL && third !== VMMCALL)) continue;
      if (found.length <= MOST_SITES && isInstruction(bytes, range.start, at, code?.bits ?? 64)) found.push(at);
    }
    return found;
  });
}
