/** The call that functions begin with whose compiler was asked to have them traced (gcc -pg -mfentry, as Linux is built). */

/** Bytes at a function's beginning that are looked at: ENDBR64 and the call. */
export const ENTRY_BYTES = 9;
const ENDBR64 = [0xf3, 0x0f, 0x1e, 0xfa];
const CALL = 0xe8;
const CALL_BYTES = 5;
const TRACER = '__fentry__';

/**
 * How far into a function that begins with `code` that call ends; 0 where it does not begin with one. `nameAt` names the function
 * so far from this one's beginning.
 */
export function tracerCallEnd(code: Uint8Array, nameAt: (offset: number) => string | undefined): number {
  const at = ENDBR64.every((byte, index) => code[index] === byte) ? ENDBR64.length : 0;
  const end = at + CALL_BYTES;
  if (code[at] !== CALL || code.length < end) return 0;
  const target = new DataView(code.buffer, code.byteOffset).getInt32(at + 1, true);
  return nameAt(end + target) === TRACER ? end : 0;
}
