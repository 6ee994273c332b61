/**
 * Which files could be a guest kernel, told from their first bytes: x86 executables, not the host's own programs.
 * Nothing here imports 'vscode'.
 */

/** Bytes of a file that {@link looksLikeKernel} wants to see. */
export const KERNEL_PROBE_BYTES = 4096;

const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const PT_INTERP = 3;

/**
 * True for an x86 ELF file of type EXEC that asks for no dynamic loader. A program that is to run under the host's own
 * kernel is position independent or names an interpreter nearly always; a kernel is and does neither.
 */
export function looksLikeKernel(head: Uint8Array): boolean {
  if (head.length < 52 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46) return false;
  const wide = head[4] === 2;
  if ((!wide && head[4] !== 1) || head[5] !== 1 || (wide && head.length < 64)) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint16(16, true) !== ET_EXEC) return false;
  if (view.getUint16(18, true) !== (wide ? EM_X86_64 : EM_386) && view.getUint16(18, true) !== EM_X86_64) return false;
  return !hasInterpreter(view, wide);
}

function hasInterpreter(view: DataView, wide: boolean): boolean {
  const offset = wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true);
  const size = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  for (let index = 0; index < count; index++) {
    const at = offset + index * size;
    if (at + 4 > view.byteLength) return false;
    if (view.getUint32(at, true) === PT_INTERP) return true;
  }
  return false;
}
