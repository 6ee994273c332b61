/**
 * The parts of an ELF file that a loader needs: header, program headers and notes (System V ABI, chapter 5), 32- and
 * 64-bit. Nothing in the file is trusted: every offset is checked against the file before it is used.
 */

import { BootError } from './boot-image.ts';
import { type BootNotes, readBootNotes } from './elf-notes.ts';
import { type CodeSection, codeSections } from './elf-sections.ts';
import { lower } from './ranges.ts';

export interface ElfSegment {
  /** Index in the program header table. */
  readonly index: number;
  /** `r-x` and the like. */
  readonly flags: string;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly memorySize: bigint;
  /** Content from the file; the rest up to `memorySize` is zero. */
  readonly bytes: Uint8Array;
}

export interface ElfFile {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  /** PT_LOAD headers that occupy memory, in file order. */
  readonly segments: readonly ElfSegment[];
  readonly notes: BootNotes;
  /** Sections of instructions; none where the section headers are gone. */
  readonly code: readonly CodeSection[];
}

const PT_LOAD = 1;
const PT_NOTE = 4;
/** More than any linker script makes, and few enough to check them against each other. */
const MAX_PROGRAM_HEADERS = 1024;

const EM_386 = 3;
const EM_X86_64 = 62;
/** e_machine values that somebody may hand us by mistake. */
const machineNames: Readonly<Record<number, string>> = {
  2: 'SPARC',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 'IBM S/390',
  40: 'Arm (32-bit)',
  43: 'SPARC V9',
  50: 'Itanium',
  183: 'Arm 64 (AArch64)',
  243: 'RISC-V',
  258: 'LoongArch',
};

const notExecutable: Readonly<Record<number, readonly [string, string]>> = {
  0: ['has ELF type NONE', 'Give the linked kernel.'],
  1: ['is a relocatable object file (ET_REL)', 'Link it first, e.g. with `ld -T kernel.ld`.'],
  3: [
    'is a shared object or position-independent executable (ET_DYN)',
    'Link it at a fixed address: `-no-pie` for gcc, `--no-pie` for ld.',
  ],
  4: ['is a core dump (ET_CORE)', 'Give the kernel itself.'],
};

export function isElf(file: Uint8Array): boolean {
  return file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c && file[3] === 0x46;
}

interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: bigint;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly fileSize: bigint;
  readonly memorySize: bigint;
}

/** Reads an ELF executable for x86. Throws {@link BootError} for anything else, and for a file that is cut short. */
export function parseElf(name: string, file: Uint8Array): ElfFile {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const bits = elfClass(name, file);
  const headerSize = bits === 64 ? 64 : 52;
  if (file.length < headerSize) {
    throw truncated(name, `the ELF header needs ${headerSize} bytes and the file has ${file.length}`);
  }
  checkMachine(name, bits, view.getUint16(18, true));
  const type = view.getUint16(16, true);
  const refused = notExecutable[type];
  if (refused) throw new BootError(`${name} ${refused[0]} and not an executable.`, refused[1]);
  if (type !== 2) throw new BootError(`${name} has the unknown ELF type ${type}.`, 'Give an ELF executable.');

  const headers = readProgramHeaders(name, file, view, bits);
  const segments = headers.flatMap((header, index) =>
    header.type === PT_LOAD && header.memorySize > 0n ? [loadSegment(name, file, header, index)] : [],
  );
  if (segments.length === 0) {
    throw new BootError(
      `${name} has nothing to load: no program header of type PT_LOAD with a size.`,
      'Check the linker script and that this is not a file of debug symbols only.',
    );
  }
  const entry = bits === 64 ? view.getBigUint64(24, true) : BigInt(view.getUint32(24, true));
  const notes = headers.filter((header) => header.type === PT_NOTE);
  const noteBytes = notes.map((header) => clip(file, header.offset, header.fileSize));
  return { bits, entry, segments, notes: readBootNotes(noteBytes), code: codeSections(file, bits) };
}

function elfClass(name: string, file: Uint8Array): 32 | 64 {
  if (file.length < 6) throw truncated(name, `the ELF identification needs 16 bytes and the file has ${file.length}`);
  if (file[5] === 2) throw wrongMachine(name, 'a big-endian processor');
  if (file[4] === 2) return 64;
  if (file[4] === 1) return 32;
  throw new BootError(
    `${name} has ELF class ${file[4]}, which is neither 32- nor 64-bit.`,
    'The file is damaged; build it again.',
  );
}

function checkMachine(name: string, bits: 32 | 64, machine: number): void {
  if (machine === (bits === 64 ? EM_X86_64 : EM_386)) return;
  if (machine === EM_X86_64) throw wrongMachine(name, 'the x32 ABI (ELF32 with x86-64 code)');
  if (machine === EM_386) throw wrongMachine(name, 'i386 in an ELF64 container');
  throw wrongMachine(name, machineNames[machine] ?? `machine number ${machine}`);
}

function wrongMachine(name: string, machine: string): BootError {
  return new BootError(`${name} is built for ${machine}.`, 'Build the kernel for x86-64 or i386.');
}

function truncated(name: string, what: string): BootError {
  return new BootError(`${name} is cut short: ${what}.`, 'Build or copy the file again.');
}

function readProgramHeaders(name: string, file: Uint8Array, view: DataView, bits: 32 | 64): ProgramHeader[] {
  const offset = bits === 64 ? view.getBigUint64(32, true) : BigInt(view.getUint32(28, true));
  const entrySize = view.getUint16(bits === 64 ? 54 : 42, true);
  const count = view.getUint16(bits === 64 ? 56 : 44, true);
  if (count > MAX_PROGRAM_HEADERS) {
    throw new BootError(
      `${name} has ${count} program headers; at most ${MAX_PROGRAM_HEADERS} are accepted.`,
      'Check the linker script.',
    );
  }
  if (count > 0 && entrySize < (bits === 64 ? 56 : 32)) {
    throw new BootError(
      `${name} has program headers of ${entrySize} bytes, too short for ELF${bits}.`,
      'The file is damaged; build it again.',
    );
  }
  const end = offset + BigInt(entrySize * count);
  if (end > BigInt(file.length)) {
    throw truncated(name, `the program headers end at offset ${end} and the file at ${file.length}`);
  }
  return Array.from({ length: count }, (_, index) => {
    const at = Number(offset) + index * entrySize;
    return bits === 64 ? programHeader64(view, at) : programHeader32(view, at);
  });
}

function programHeader64(view: DataView, at: number): ProgramHeader {
  const wide = (field: number) => view.getBigUint64(at + field, true);
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 4, true),
    offset: wide(8),
    vaddr: wide(16),
    paddr: wide(24),
    fileSize: wide(32),
    memorySize: wide(40),
  };
}

function programHeader32(view: DataView, at: number): ProgramHeader {
  const wide = (field: number) => BigInt(view.getUint32(at + field, true));
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 24, true),
    offset: wide(4),
    vaddr: wide(8),
    paddr: wide(12),
    fileSize: wide(16),
    memorySize: wide(20),
  };
}

function loadSegment(name: string, file: Uint8Array, header: ProgramHeader, index: number): ElfSegment {
  if (header.fileSize > header.memorySize) {
    throw new BootError(
      `${name}: segment ${index} has more bytes in the file (${header.fileSize}) than in memory (${header.memorySize}).`,
      'The file is damaged; build it again.',
    );
  }
  const end = header.offset + header.fileSize;
  if (end > BigInt(file.length)) {
    throw truncated(name, `segment ${index} ends at offset ${end} and the file at ${file.length}`);
  }
  const flag = (bit: number, letter: string) => (header.flags & bit ? letter : '-');
  return {
    index,
    flags: flag(4, 'r') + flag(2, 'w') + flag(1, 'x'),
    vaddr: header.vaddr,
    paddr: header.paddr,
    memorySize: header.memorySize,
    bytes: clip(file, header.offset, header.fileSize),
  };
}

/** Bytes of the file from `offset`, as many of `length` as there are. */
function clip(file: Uint8Array, offset: bigint, length: bigint): Uint8Array {
  const size = BigInt(file.length);
  const start = lower(offset, size);
  const end = lower(start + length, size);
  return file.subarray(Number(start), Number(end));
}
