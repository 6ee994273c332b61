/** Kernels of a few lines of C, and what objdump sees in them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boot } from '../../hypervisor-core/boot/boot.ts';
import type { BootImage } from '../../hypervisor-core/boot/boot-image.ts';

/** The bytes of an ELF64 file linked at 1 MiB. */
export function compiledKernel(source: string): Buffer {
  return inFolder((folder) => {
    const [input, output] = [join(folder, 'k.c'), join(folder, 'k.elf')];
    writeFileSync(input, source);
    const code = ['-O1', '-fcf-protection=none', '-ffreestanding', '-fno-pic', '-nostdlib', '-static', '-no-pie', '-w'];
    execFileSync('gcc', [...code, '-Wl,--build-id=none,-Ttext=0x100000', input, '-o', output]);
    return readFileSync(output);
  });
}

/** What would be loaded of it. */
export const imageOf = (file: Buffer): BootImage =>
  boot({ name: 'k', file, commandLine: '', protocol: 'elf64', ram: [{ start: 0n, end: 64n << 20n }] });

/** Addresses of the instructions whose text, mnemonic and operands, objdump has so. */
export function disassembled(file: Buffer, text: RegExp): bigint[] {
  const listing = inFolder((folder) => {
    writeFileSync(join(folder, 'k'), file);
    return execFileSync('objdump', ['-d', join(folder, 'k')], { encoding: 'utf8' });
  });
  return [...listing.matchAll(/^ +([0-9a-f]+):\t[^\t\n]*\t(.*)$/gm)]
    .filter(([, , instruction = '']) => text.test(instruction))
    .map(([, address]) => BigInt(`0x${address}`));
}

function inFolder<T>(body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'ringside-compiled-'));
  try {
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
