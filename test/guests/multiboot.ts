/** Multiboot kernels of a few lines, out of assembly: what QEMU boots by `-kernel`. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const LAYOUT = 'ENTRY(_start) SECTIONS { . = 0x100000; .text : { *(.multiboot) *(.text) } /DISCARD/ : { *(.note*) } }';

/** Assembles `code`, entered in 32-bit protected mode, and gives the path of the kernel; all files' paths begin with `path`. */
export function assembleMultiboot(path: string, code: string): string {
  const file = (extension: string) => `${path}.${extension}`;
  writeFileSync(
    file('S'),
    `.section .multiboot, "a"\n.long 0x1badb002, 0, -0x1badb002\n.text\n.globl _start\n_start: ${code}\n`,
  );
  writeFileSync(file('ld'), LAYOUT);
  execFileSync('gcc', ['-m32', '-c', file('S'), '-o', file('o')]);
  execFileSync('ld', ['-m', 'elf_i386', '-T', file('ld'), file('o'), '-o', file('elf')], { stdio: 'pipe' });
  return file('elf');
}

/** Instructions that turn paging on, with write protection, and halt. */
export const pageAndHalt = ({ cr3, cr4, efer }: Readonly<Record<'cr3' | 'cr4' | 'efer', number | bigint>>): string => `
    movl $${cr4}, %eax
    movl %eax, %cr4
    movl $${cr3}, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    movl $${efer}, %eax
    xorl %edx, %edx
    wrmsr
    movl $0x80010011, %eax
    movl %eax, %cr0
    1: hlt
    jmp 1b
`;
