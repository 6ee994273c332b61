/** The function that a hypercall is made for: what makes it is a stub of a few instructions, the same for many callers. */

/** Bytes that are looked at behind a call: POPs of what the stub saved, and its end. */
const STUB_BYTES = 16;
/** REX.B, in 64-bit code: of R8 to R15. */
const REX_B = 0x41;
/** POP with the register in the low bits (Intel SDM vol. 2). */
const POP = { opcode: 0x58, mask: 0xf8 };
const RET = 0xc3;
/** JMP rel32: how a kernel returns by a thunk, where processors are not to predict its returns. */
const JMP = 0xe9;

/**
 * Where a stub returns to whose call has `rip` behind it: undefined where that is not the end of a stub. `rsp` is that of the
 * call, and a word of the stack has `wordBytes`; `read` gives guest-virtual bytes, fewer where nothing is mapped.
 */
export function stubReturn(
  { rip, rsp, wordBytes }: { readonly rip: bigint; readonly rsp: bigint; readonly wordBytes: 4 | 8 },
  read: (address: bigint, length: number) => Uint8Array,
): bigint | undefined {
  const code = read(rip, STUB_BYTES);
  let saved = 0;
  let at = 0;
  for (;;) {
    const opcode = wordBytes === 8 && code[at] === REX_B ? at + 1 : at;
    if (((code[opcode] ?? 0) & POP.mask) !== POP.opcode) break;
    at = opcode + 1;
    saved++;
  }
  if (code[at] !== RET && code[at] !== JMP) return undefined;
  const word = read(rsp + BigInt(saved * wordBytes), wordBytes);
  if (word.length < wordBytes) return undefined;
  return word.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
