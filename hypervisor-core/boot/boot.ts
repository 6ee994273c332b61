/** Picks the boot protocol by what the kernel file is. */
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { isElf, parseElf } from './elf-file.ts';
import { bootElf64 } from './elf64.ts';
import { bootMultiboot1, findMultibootHeader } from './multiboot1.ts';

/**
 * Makes a boot image of a kernel file. An ELF64 kernel is entered in long mode even when it has a multiboot header too,
 * unless the request names the protocol; an ELF32 or flat kernel must have a multiboot header.
 * Throws {@link BootError} with what is wrong and what to do, whatever the bytes are.
 */
export function boot(request: BootRequest): BootImage {
  const { name, file } = request;
  if (file.length === 0) throw new BootError(`${name} is empty.`, 'Build the kernel first.');
  if (request.protocol === 'multiboot1') return multiboot(request);
  if (!isElf(file)) {
    if (request.protocol === undefined && findMultibootHeader(file)) return multiboot(request);
    throw notElf(name, file);
  }
  const elf = parseElf(name, file);
  if (elf.bits === 64) return bootElf64(request, elf);
  if (request.protocol === 'elf64') {
    throw new BootError(`${name} is an ELF32 file and cannot be entered in long mode.`, 'Link it as elf64-x86-64.');
  }
  return multiboot(request);
}

function multiboot(request: BootRequest): BootImage {
  const header = findMultibootHeader(request.file);
  if (header) return bootMultiboot1(request, header);
  throw new BootError(
    `${request.name} has no multiboot 1 header in its first 8 KiB.`,
    'Put the header (magic 0x1BADB002) at the start of the image, or build an ELF64 kernel.',
  );
}

function notElf(name: string, file: Uint8Array): BootError {
  const magic = Array.from(file.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const isLinux = file.length > 0x206 && String.fromCharCode(...file.subarray(0x202, 0x206)) === 'HdrS';
  if (isLinux) {
    return new BootError(`${name} is a compressed Linux image (bzImage).`, 'Give the ELF file vmlinux instead.');
  }
  return new BootError(
    `${name} is neither an ELF file nor a multiboot kernel: it begins with ${magic}.`,
    'Give the kernel as the linker made it, before objcopy.',
  );
}
