/** Kernels of a few lines of C that has an IDT, of which tests write the rest. */
import { compileProgram } from '../../debug-adapter/expressions/test-program.ts';

/** `gate(VECTOR, HANDLER)` fills the IDT, which `lidt idtr` loads. */
export const GATES = `
typedef unsigned long u64;
struct gate { unsigned short low, selector, kind, middle; unsigned high, zero; } idt[32];
struct { unsigned short limit; u64 base; } __attribute__((packed)) idtr = { sizeof idt - 1, (u64)idt };
void gate(int vector, void (*to)(void)) {
  unsigned short cs;
  __asm__("mov %%cs, %0" : "=r"(cs));
  idt[vector] = (struct gate){ (u64)to, cs, 0x8e00, (u64)to >> 16 };
}
`;

const FLAGS = '-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -mno-red-zone -Wl,-Ttext=0x100000';

/** The program's path; it has debug information, and begins at `main` without a stack. */
export const compileKernel = (folder: string, source: string, flags: readonly string[] = []): string =>
  compileProgram(folder, source, ['gcc', '-g', ...FLAGS.split(' '), ...flags]);
