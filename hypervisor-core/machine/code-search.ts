/** Finds instructions in code that nobody disassembled from its beginning, and that may have data in between. */

/** How far before a candidate decoding starts, and in how many ways; instructions soon fall into step. */
const FARTHEST_START = 64;
const STARTS = 32;
/** Of those starts, how many in a hundred must come upon the candidate. */
const AGREEING = 75;
const ESCAPE = 0x0f;

/** Offsets within `bytes`, `end` excluded. */
export interface CodeRange {
  readonly start: number;
  readonly end: number;
}

/** Where a range has the opcode `0f second`, be it an instruction or not. */
export function* opcodes(bytes: Uint8Array, { start, end }: CodeRange, second: number): Generator<number> {
  const area = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const opcode = Uint8Array.of(ESCAPE, second);
  for (let at = area.indexOf(opcode, start); at >= 0 && at + 2 <= end; at = area.indexOf(opcode, at + 1)) yield at;
}

/**
 * True when decoding from most places before `at` comes upon it: it is no part of a longer instruction. The code, of `bits`
 * bits, begins at `start`.
 */
export function isInstruction(bytes: Uint8Array, start: number, at: number, bits: 16 | 32 | 64): boolean {
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
