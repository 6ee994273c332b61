/** Kernel files of a few bytes, each with the least header that its boot protocol asks for. */
import type { BootModule } from '../../hypervisor-core/boot/boot-image.ts';
import type { BootChoice } from '../../hypervisor-core/protocol/boot-choice.ts';

export interface Guest {
  readonly checks: string;
  /** What the request says beside the file; absent: the content decides. */
  readonly told?: BootChoice;
  readonly modules?: readonly BootModule[];
}

const LOAD = 0x10_0000;
const words = (...values: number[]) => Buffer.from(Uint32Array.from(values, (value) => value >>> 0).buffer);

export function multiboot1Image(code: Uint8Array): Buffer {
  const magic = 0x1bad_b002;
  const flags = 0x1_0000;
  return Buffer.concat([words(magic, flags, -(magic + flags), LOAD, LOAD, 0, 0, LOAD + 32), code]);
}

export function multiboot2Image(code: Uint8Array): Buffer {
  const magic = 0xe852_50d6;
  const tags = Buffer.concat([words(2, 24, LOAD, LOAD, 0, 0), words(3, 12, LOAD + 64, 0), words(0, 8)]);
  const length = 16 + tags.length;
  return Buffer.concat([words(magic, 0, length, -(magic + length)), tags, code]);
}

/** Its ELF entry point is 0: only the note leads into the code. */
export function elf32WithPvhNote(code: Uint8Array): Buffer {
  const headers = 52 + 2 * 32;
  const note = Buffer.concat([words(4, 4, 18), Buffer.from('Xen\0'), words(LOAD + headers + 20)]);
  const size = headers + note.length + code.length;
  const identification = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([
    identification,
    words(2 | (3 << 16), 1, 0, 52, 0, 0, 52 | (32 << 16), 2, 0),
    words(1, 0, LOAD, LOAD, size, size, 7, 4096),
    words(4, headers, LOAD + headers, LOAD + headers, note.length, note.length, 4, 4),
    note,
    code,
  ]);
}

/** Boot protocol 2.15 with one setup sector; the code is the 64-bit entry. */
export function bzImage(code: Uint8Array): Buffer {
  const file = Buffer.alloc(1024 + 0x200 + code.length);
  file.writeUInt8(1, 0x1f1);
  file.writeUInt16LE(0xaa55, 0x1fe);
  file.writeUInt16LE(0x66eb, 0x200);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(0x20f, 0x206);
  file.writeUInt32LE(0x7fff_ffff, 0x22c);
  file.writeUInt16LE(1, 0x236);
  file.writeUInt32LE(2047, 0x238);
  file.writeBigUInt64LE(0x20_0000n, 0x258);
  file.writeUInt32LE(0x10_0000, 0x260);
  file.set(code, 1024 + 0x200);
  return file;
}
