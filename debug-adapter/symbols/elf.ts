/** ELF32 and ELF64 little-endian x86 files: headers, sections, segments. System V ABI, chapter 4. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { decompress as decompressZstd } from 'fzstd';
import { SymbolFileError } from './api.ts';
import { Cursor, stringAt } from './bytes.ts';
import { placeSections, relocate } from './relocation.ts';

export const sectionFlags = { alloc: 2, executable: 4, compressed: 0x800 } as const;
const sectionTypes = { noBits: 8 } as const;
const machines = new Map<number, 'x86-64' | 'i386'>([
  [62, 'x86-64'],
  [3, 'i386'],
]);

const relocatable = 1;
const compressions = { zlib: 1, zstd: 2 } as const;
/**
 * No compression expands more than this, so a larger claim is a lie: deflate 1032:1 by zlib's technical notes, zstd a
 * block of 128 KiB from the 4 bytes of a repeated one (RFC 8878, 3.1.1.2).
 */
const maximumExpansion = { zlib: 1032, zstd: 32_768 } as const;
const maximumSection = 2 ** 31 - 1;
const maximumHeaders = 65_536;
/** Reads shorter than this share memory. */
const smallRead = 1024;

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  /** Bytes in memory; in the file unless the type is NOBITS. */
  readonly size: number;
  readonly link: number;
  /** sh_info; of a table of relocations, the section that they are for. */
  readonly info: number;
  readonly alignment: number;
}

export interface ElfSegment {
  readonly type: number;
  readonly executable: boolean;
  readonly address: bigint;
  readonly offset: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

export class ElfFile {
  readonly machine: 'x86-64' | 'i386';
  readonly wordSize: 4 | 8;
  /** ET_REL, ET_EXEC, ET_DYN... */
  readonly type: number;
  readonly entry: bigint;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
  private readonly contents = new Map<number, Uint8Array>();
  private byName: ReadonlyMap<string, ElfSection> | undefined;
  readonly fileSize: number;
  /** When the file was last changed, in milliseconds. */
  readonly modified: number;

  private constructor(
    readonly path: string,
    private readonly descriptor: number,
    placed: ReadonlyMap<string, bigint>,
  ) {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new SymbolFileError(`${path} is not a file`);
    this.fileSize = stat.size;
    this.modified = stat.mtimeMs;
    const ident = this.readFile(0, Math.min(64, this.fileSize), 'the ELF header');
    if (ident.length < 52 || ident[0] !== 0x7f || ident[1] !== 0x45 || ident[2] !== 0x4c || ident[3] !== 0x46)
      throw new SymbolFileError(`${path} is not an ELF file: it does not begin with 7f 45 4c 46`);
    if ((ident[4] !== 1 && ident[4] !== 2) || ident[5] !== 1)
      throw new SymbolFileError(`${path}: only little-endian ELF32 and ELF64 files can be read`);
    this.wordSize = ident[4] === 2 ? 8 : 4;
    const header = new Cursor(ident, 16, 'ELF header');
    this.type = header.u16();
    const machineNumber = header.u16();
    const machine = machines.get(machineNumber);
    if (!machine)
      throw new SymbolFileError(
        `${path} is for another processor (e_machine ${machineNumber}): this hypervisor runs x86-64 (62) and i386 (3)`,
      );
    this.machine = machine;
    header.skip(4);
    this.entry = header.unsigned(this.wordSize);
    const segmentOffset = header.word(this.wordSize);
    const sectionOffset = header.word(this.wordSize);
    header.skip(6);
    const segmentSize = header.u16();
    const segmentCount = header.u16();
    const sectionSize = header.u16();
    const sectionCount = header.u16();
    const namesIndex = header.u16();
    this.segments = segmentCount === 0 ? [] : this.readSegments(segmentOffset, segmentSize, segmentCount);
    const sections = sectionOffset === 0 ? [] : this.readSections(sectionOffset, sectionSize, sectionCount, namesIndex);
    this.sections = this.isRelocatable ? placeSections(sections, placed) : sections;
  }

  /**
   * Throws {@link SymbolFileError} for what is not an x86 ELF file, and the system's error where it cannot be opened.
   * @param placed Addresses of a relocatable file's sections, by name.
   */
  static open(path: string, placed: ReadonlyMap<string, bigint> = new Map()): ElfFile {
    // A pipe must not be waited for: what is no file is refused afterwards.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return new ElfFile(path, descriptor, placed);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** An object file or a kernel module, not linked yet: its sections have no addresses of their own. */
  get isRelocatable(): boolean {
    return this.type === relocatable;
  }

  close(): void {
    closeSync(this.descriptor);
  }

  /** The first section of that name with bytes in the file. */
  section(name: string): ElfSection | undefined {
    this.byName ??= new Map(
      this.sections
        .filter((section) => section.type !== sectionTypes.noBits)
        .map((section) => [section.name, section] as const)
        .reverse(),
    );
    return this.byName.get(name);
  }

  /** A section's bytes, decompressed, read once. Empty for an absent section and one without bytes in the file. */
  bytes(section: ElfSection | undefined): Uint8Array {
    if (!section || section.type === sectionTypes.noBits) return new Uint8Array();
    let bytes = this.contents.get(section.index);
    if (!bytes) {
      bytes = this.decompress(section, this.readFile(section.offset, section.size, `section ${section.name}`));
      this.contents.set(section.index, bytes);
      if (this.isRelocatable) relocate(this, section, bytes);
    }
    return bytes;
  }

  /** Part of a section without reading the rest, where the section is not compressed. */
  part(section: ElfSection, offset: number, length: number): Uint8Array {
    if (this.isPlain(section)) {
      this.check(offset, length, section.size, section.name);
      return this.readFile(section.offset + offset, length, `section ${section.name}`);
    }
    const bytes = this.bytes(section);
    this.check(offset, length, bytes.length, section.name);
    return bytes.subarray(offset, offset + length);
  }

  /** Whether parts of the section can be read as they are in the file. */
  private isPlain(section: ElfSection): boolean {
    const { index, type } = section;
    return !(this.contents.has(index) || isCompressed(section) || this.isRelocatable || type === sectionTypes.noBits);
  }

  /** As {@link part}, into memory that the caller has: `into` or, where the section is loaded anyway, there. */
  partInto(into: Uint8Array, section: ElfSection, offset: number): Uint8Array {
    if (!this.isPlain(section)) return this.part(section, offset, into.length);
    this.check(offset, into.length, section.size, section.name);
    this.checkFile(section.offset + offset, into.length, `section ${section.name}`);
    this.fill(into, section.offset + offset);
    return into;
  }

  /** What the file holds for `address`, short where it holds less, e.g. the code of a function. */
  load(address: bigint, length: number): Uint8Array {
    for (const section of this.sections) {
      const into = Number(address - section.address);
      const loaded = section.flags & sectionFlags.alloc && section.type !== sectionTypes.noBits;
      if (loaded && into >= 0 && into < section.size)
        return this.part(section, into, Math.min(length, section.size - into));
    }
    for (const segment of this.segments) {
      const into = Number(address - segment.address);
      if (segment.type === 1 && into >= 0 && into < segment.fileSize)
        return this.readFile(segment.offset + into, Math.min(length, segment.fileSize - into), 'a segment');
    }
    return new Uint8Array();
  }

  private check(offset: number, length: number, size: number, name: string): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= size))
      throw new SymbolFileError(`${this.path}: section ${name} ends before offset 0x${(offset + length).toString(16)}`);
  }

  private checkFile(offset: number, length: number, what: string): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.fileSize))
      throw new SymbolFileError(
        `${this.path} is truncated: ${what} needs ${length} bytes at offset 0x${offset.toString(16)}, the file has ${this.fileSize}`,
      );
    if (length > maximumSection) throw new SymbolFileError(`${this.path}: ${what} is too large (${length} bytes)`);
  }

  private readFile(offset: number, length: number, what: string): Uint8Array {
    this.checkFile(offset, length, what);
    const bytes = length < smallRead ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(length);
    this.fill(bytes, offset);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
  }

  private fill(bytes: Uint8Array, offset: number): void {
    const { length } = bytes;
    for (let done = 0; done < length; ) {
      const count = readSync(this.descriptor, bytes, done, length - done, offset + done);
      if (count === 0) throw new SymbolFileError(`${this.path} became shorter while it was read`);
      done += count;
    }
  }

  private decompress(section: ElfSection, bytes: Uint8Array): Uint8Array {
    if (!isCompressed(section)) return bytes;
    const cursor = new Cursor(bytes, 0, section.name);
    let size: number;
    let type: number = compressions.zlib;
    if (section.flags & sectionFlags.compressed) {
      type = cursor.u32();
      if (this.wordSize === 8) cursor.skip(4);
      size = cursor.word(this.wordSize);
      cursor.skip(this.wordSize);
    } else {
      cursor.skip(4);
      size = Number(Buffer.from(cursor.block(8)).readBigUInt64BE());
    }
    if (type !== compressions.zlib && type !== compressions.zstd)
      cursor.fail(`compression ${type} is not supported, zlib (1) and zstd (2) are`);
    const expansion = type === compressions.zlib ? maximumExpansion.zlib : maximumExpansion.zstd;
    if (!(size <= maximumSection && size <= (cursor.left + 64) * expansion))
      cursor.fail(`claims to expand to ${size} bytes, which cannot be`);
    const packed = cursor.block(cursor.left);
    try {
      if (type === compressions.zstd) return decompressZstd(packed, new Uint8Array(size));
      return inflateSync(packed, { maxOutputLength: Math.max(size, 1) });
    } catch (error) {
      throw new SymbolFileError(`${this.path}: section ${section.name} cannot be decompressed: ${error}`);
    }
  }

  private readSegments(offset: number, entrySize: number, count: number): ElfSegment[] {
    const needed = this.wordSize === 8 ? 56 : 32;
    if (entrySize < needed)
      throw new SymbolFileError(`${this.path}: program headers of ${entrySize} bytes are too short`);
    const table = this.readFile(offset, entrySize * count, 'the program header table');
    return Array.from({ length: count }, (_, index) => {
      const at = new Cursor(table, index * entrySize, 'program headers');
      const type = at.u32();
      let flags = this.wordSize === 8 ? at.u32() : 0;
      const fileOffset = at.word(this.wordSize);
      const address = at.unsigned(this.wordSize);
      at.skip(this.wordSize);
      const fileSize = at.word(this.wordSize);
      const memorySize = at.word(this.wordSize);
      if (this.wordSize === 4) flags = at.u32();
      return { type, executable: (flags & 1) !== 0, address, offset: fileOffset, fileSize, memorySize };
    });
  }

  private readSections(offset: number, entrySize: number, countField: number, namesField: number): ElfSection[] {
    const needed = this.wordSize === 8 ? 64 : 40;
    if (entrySize < needed)
      throw new SymbolFileError(`${this.path}: section headers of ${entrySize} bytes are too short`);
    const first = this.readSection(this.readFile(offset, entrySize, 'the section header table'), 0, 0);
    const count = countField || first.size;
    const namesIndex = namesField === 0xffff ? first.link : namesField;
    if (count > maximumHeaders) throw new SymbolFileError(`${this.path}: ${count} sections are too many`);
    const table = this.readFile(offset, entrySize * count, 'the section header table');
    const raw = Array.from({ length: count }, (_, index) => this.readSection(table, index, entrySize));
    const names = raw[namesIndex];
    const strings = names ? this.readFile(names.offset, names.size, 'section names') : new Uint8Array();
    return raw.map(({ nameOffset, ...section }) => ({ ...section, name: stringAt(strings, nameOffset) }));
  }

  private readSection(table: Uint8Array, index: number, entrySize: number) {
    const at = new Cursor(table, index * entrySize, 'section headers');
    const nameOffset = at.u32();
    const type = at.u32();
    const flags = Number(BigInt.asUintN(32, at.unsigned(this.wordSize)));
    const address = at.unsigned(this.wordSize);
    const offset = at.word(this.wordSize);
    const size = at.word(this.wordSize);
    const link = at.u32();
    const info = at.u32();
    return { index, nameOffset, type, flags, address, offset, size, link, info, alignment: at.word(this.wordSize) };
  }
}

const isCompressed = (section: ElfSection): boolean =>
  (section.flags & sectionFlags.compressed) !== 0 || section.name.startsWith('.zdebug');
