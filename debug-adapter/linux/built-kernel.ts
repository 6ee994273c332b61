/** For tests: a Kernel whose types and data are those of a few lines of C. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ElfFile } from '../symbols/elf.ts';
import { openSymbols } from '../symbols/symbols.ts';
import { Kernel } from './kernel.ts';

/** What every Linux has. */
const COMMON = `
struct list_head { struct list_head *next, *prev; };
struct task_struct { int pid; } init_task;
`;

/** Compiles the source, links it where kernels run, and has `use` read it. @param definitions macros by name */
export async function withKernel<Result>(
  source: string,
  use: (kernel: Kernel) => Promise<Result>,
  definitions: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-kernel-'));
  try {
    const [text, image] = [join(folder, 'kernel.c'), join(folder, 'kernel')];
    writeFileSync(text, COMMON + source);
    const macros = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    const address = ['-mcmodel=kernel', '-fno-pie', '-no-pie', '-Wl,-Ttext-segment=0xffffffff81000000', '-Wl,-e,0'];
    execFileSync('gcc', ['-g', '-fms-extensions', '-nostdlib', '-static', ...address, ...macros, '-o', image, text]);
    const elf = ElfFile.open(image);
    const symbols = await openSymbols(image);
    try {
      return await use(await Kernel.of(symbols, async (from, length) => memory(elf, from, length)));
    } finally {
      symbols.close();
      elf.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the file says of the section at an address; zeroes where that says nothing, and nothing behind its end. */
function memory(elf: ElfFile, from: bigint, length: number): Uint8Array {
  const section = elf.sections.find(
    ({ address, size }) => address !== 0n && address <= from && from < address + BigInt(size),
  );
  if (!section) return new Uint8Array();
  const at = Number(from - section.address);
  const said = elf.bytes(section).subarray(at, at + length);
  const bytes = new Uint8Array(Math.min(length, section.size - at));
  bytes.set(said);
  return bytes;
}
