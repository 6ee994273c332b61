/** Boot sectors out of assembly, with the machine's own tools. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** How a boot sector begins: all segments at 0, a stack below itself, the boot drive in [drive]. */
export const SECTOR_ENTRY = `
.code16
.globl _start
_start: xorw %ax, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movw $0x7c00, %sp
  movb %dl, drive`;

/** Assembles `source` to run at 7C00h, and gives the paths of the linked ELF file and of its bytes alone; both begin with `path`. */
export function assembleSector(path: string, source: string): { readonly elf: string; readonly image: string } {
  const [assembly, object] = [`${path}.S`, `${path}.o`];
  const [elf, image] = [`${path}.elf`, `${path}.img`];
  writeFileSync(assembly, source);
  execFileSync('as', ['--32', assembly, '-o', object]);
  execFileSync('ld', ['-m', 'elf_i386', '-Ttext', '0x7c00', object, '-o', elf]);
  execFileSync('objcopy', ['-O', 'binary', elf, image]);
  return { elf, image };
}
