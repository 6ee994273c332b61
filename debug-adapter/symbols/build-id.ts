/** The build id that links an image to its symbols, `NT_GNU_BUILD_ID` of a note section. System V ABI, "Note Section". */
import { Cursor } from './bytes.ts';
import type { ElfFile } from './elf.ts';

const noteSection = 7;
const gnuBuildId = 3;

/** In hexadecimal; undefined for an image without one. */
export function buildId(elf: ElfFile): string | undefined {
  for (const section of elf.sections) {
    if (section.type !== noteSection) continue;
    const cursor = new Cursor(elf.bytes(section), 0, section.name);
    while (cursor.left >= 12) {
      const nameSize = cursor.u32();
      const size = cursor.u32();
      const type = cursor.u32();
      const name = padded(cursor, nameSize);
      const content = padded(cursor, size);
      if (!name || !content) break;
      if (type === gnuBuildId && Buffer.from(name).toString('latin1') === 'GNU\0')
        return Buffer.from(content).toString('hex');
    }
  }
  return undefined;
}

function padded(cursor: Cursor, size: number): Uint8Array | undefined {
  if (size > cursor.left) return undefined;
  const bytes = cursor.block(size);
  cursor.skip(Math.min(cursor.left, (4 - (size % 4)) % 4));
  return bytes;
}
