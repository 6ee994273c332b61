/** Boot sectors out of assembly, with the machine's own tools. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

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
