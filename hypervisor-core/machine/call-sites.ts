/**
 * Hypercalls that a guest makes by an instruction of its own (VMCALL or VMMCALL) instead of a page: KVM would answer them
 * in the kernel, unseen, or not at all. In the code of an ELF kernel each such instruction becomes `out HYPERCALL_PORT, al;
 * nop`, which is as long and comes to us. Kernels that patch themselves copy the new instruction as they would the old.
 */
import type { BootImage, BootSegment } from '../boot/boot-image.ts';
import { CALL_SITE } from '../hypercalls/hypercall-page.ts';

/** The last byte of `0f 01 c1` and `0f 01 d9`: Intel SDM vol. 2, VMCALL; AMD APM vol. 3, VMMCALL. */
const VMCALL = 0xc1;
const VMMCALL = 0xd9;
const INSTRUCTION_BYTES = 3;
/** More than any kernel has; a file that seems to have more is not what it seems. */
const MOST_SITES = 256;
/** How far before a candidate decoding starts, and in how many ways; instructions soon fall into step. */
const FARTHEST_START = 64;
const STARTS = 32;
/** Of those starts, how many in a hundred must come upon the candidate. */
const AGREEING = 75;

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
  return (code?.ranges ?? []).flatMap(({ start, end }) => {
    const found: number[] = [];
    const area = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (
      let at = area.indexOf(0x0f, start);
      at >= 0 && at + INSTRUCTION_BYTES <= end;
      at = area.indexOf(0x0f, at + 1)
    ) {
      const third = bytes[at + 2];
      if (bytes[at + 1] !== 0x01 || (third !== VMCALL && third !== VMMCALL)) continue;
      if (found.length <= MOST_SITES && isInstruction(bytes, start, at, code?.bits ?? 64)) found.push(at);
    }
    return found;
  });
}

/** True when decoding from most places before `at` comes upon it: it is no part of a longer instruction. */
function isInstruction(bytes: Uint8Array, start: number, at: number, bits: 32 | 64): boolean {
  const { Decoder, DecoderOptions }: typeof import('iced-x86') = require('iced-x86');
  // Where the code begins there is an instruction for certain.
  const near = at - FARTHEST_START < start;
  const first = near ? start : at - FARTHEST_START;
  const ways = near ? 1 : STARTS;
  let agreeing = 0;
  for (let way = 0; way < ways; way++) {
    const decoder = new Decoder(bits, bytes.subarray(first + way, at), DecoderOptions.None);
    while (decoder.canDecode) decoder.decode().free();
    // An instruction that is cut off at `at` is one that reaches over it.
    if (decoder.lastError === 0) agreeing++;
    decoder.free();
  }
  return agreeing * 100 >= ways * AGREEING;
}
