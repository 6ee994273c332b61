/** Picks the boot protocol by what the kernel file is, or as the request says. */
import type { BootProtocol } from '../protocol/boot-choice.ts';
import { BootError, type BootImage, type BootRequest } from './boot-image.ts';
import { isBzImage } from './bzimage.ts';
import { bootElf32, bootElf64 } from './elf-direct.ts';
import { type ElfFile, isElf, parseElf } from './elf-file.ts';
import { bootFirmware } from './firmware.ts';
import { bootFlat, bootSector, isBootSector } from './flat.ts';
import { bootBzImage, bootVmlinux } from './linux.ts';
import { bootMultiboot1, findMultibootHeader, hasOwnEntry } from './multiboot1.ts';
import { bootMultiboot2 } from './multiboot2.ts';
import { findMultiboot2Header, readMultiboot2Tags } from './multiboot2-header.ts';
import { bootPvh } from './pvh.ts';

/**
 * Makes a boot image of a kernel file. Throws {@link BootError} with what is wrong and what to do, whatever the bytes are.
 */
export function boot(request: BootRequest): BootImage {
  const { name, file } = request;
  if (file.length === 0) throw new BootError(`${name} is empty.`, 'Build the kernel first.');
  const protocol = request.protocol ?? protocolOf(name, file);
  switch (protocol) {
    case 'elf32':
    case 'elf64': {
      const elf = elfFile(request, protocol);
      if (protocol === 'elf64' && elf.bits === 32) {
        throw new BootError(`${name} is an ELF32 file and cannot be entered in long mode.`, 'Link it as elf64-x86-64.');
      }
      return protocol === 'elf64' ? bootElf64(request, elf) : bootElf32(request, elf);
    }
    case 'multiboot1':
      return bootMultiboot1(request, found(request, findMultibootHeader(file), 'multiboot 1', '8 KiB', '0x1BADB002'));
    case 'multiboot2':
      return bootMultiboot2(request, found(request, findMultiboot2Header(file), 'multiboot 2', '32 KiB', '0xE85250D6'));
    case 'linux':
      if (isBzImage(file)) return bootBzImage(request);
      return bootVmlinux(request, elfFile(request, protocol));
    case 'pvh':
      return bootPvh(request, elfFile(request, protocol));
    case 'firmware':
      return bootFirmware(request);
    case 'sector':
      return bootSector(request);
    case 'flat16':
    case 'flat32':
    case 'flat64':
      return bootFlat(request, protocol);
  }
}

/**
 * Linux says that it is Linux. Else a multiboot header decides, unless it names an entry point of its own in an ELF64
 * file: then that file's e_entry is for long mode. Else the note for PVH, else the ELF class.
 */
function protocolOf(name: string, file: Uint8Array): BootProtocol {
  const multiboot1 = findMultibootHeader(file);
  const multiboot2 = findMultiboot2Header(file);
  if (isElf(file)) {
    const elf = parseElf(name, file);
    const long = elf.bits === 64;
    if (long && elf.notes.isLinux) return 'linux';
    if (multiboot2 && !(long && readMultiboot2Tags(name, file, multiboot2).entry !== undefined)) return 'multiboot2';
    if (multiboot1 && !(long && hasOwnEntry(multiboot1))) return 'multiboot1';
    if (elf.notes.pvhEntry !== undefined) return 'pvh';
    return long ? 'elf64' : 'elf32';
  }
  if (isBzImage(file)) return 'linux';
  if (multiboot2) return 'multiboot2';
  if (multiboot1) return 'multiboot1';
  if (isBootSector(file)) return 'sector';
  const magic = Array.from(file.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new BootError(
    `${name} is neither an ELF file nor a multiboot kernel, Linux bzImage or boot sector: it begins with ${magic}.`,
    'Give the kernel as the linker made it, or say that it is a flat binary (boot: flat16, flat32 or flat64).',
  );
}

function elfFile({ name, file }: BootRequest, protocol: BootProtocol): ElfFile {
  if (isElf(file)) return parseElf(name, file);
  throw new BootError(
    `${name} is not an ELF file and cannot be booted as ${protocol}.`,
    'Give the kernel as the linker made it, before objcopy.',
  );
}

function found<Header>(
  { name }: BootRequest,
  header: Header | undefined,
  protocol: string,
  searched: string,
  magic: string,
): Header {
  if (header !== undefined) return header;
  throw new BootError(
    `${name} has no ${protocol} header in its first ${searched}.`,
    `Put the header (magic ${magic}) at the start of the image, or choose another way to boot.`,
  );
}
