/** What a loader tells a kernel, apart from the format in which a boot protocol says it. */
import { type AddressRange, type BootFramebuffer, type MemoryEntry, PIXEL } from './boot-image.ts';
import { MAX_MEMORY_ENTRIES } from './guest-memory.ts';

export const LOADER_NAME = 'Ringside';

/** How both versions of Multiboot say that pixels are red, green and blue: framebuffer_type, and color_info, a byte each. */
export const MULTIBOOT_RGB = {
  type: 1,
  colours: [PIXEL.red, PIXEL.green, PIXEL.blue].flatMap(({ position, size }) => [position, size]),
} as const;

export interface PlacedModule extends AddressRange {
  readonly commandLine: string;
}

/** The kernel's ELF section headers, addresses filled in for those sections that the loader has placed. */
export interface SectionTable {
  readonly headers: Uint8Array;
  readonly count: number;
  readonly entrySize: number;
  /** Index of the section that holds the names. */
  readonly names: number;
}

export interface Handover {
  readonly commandLine: string;
  readonly modules: readonly PlacedModule[];
  readonly memory: readonly MemoryEntry[];
  /** Lowest address of the kernel. */
  readonly loadBase: bigint;
  readonly rsdp?: bigint;
  readonly framebuffer?: BootFramebuffer;
  readonly sections?: SectionTable;
}

/** A boot protocol's information structure with all it points to. */
export interface InfoFormat {
  /** Bytes of the structure without lists and strings. */
  readonly structureSize: number;
  /** Fills `out`, whose first byte is the structure's. Returns the guest-physical address of the command line. */
  write(out: InfoBytes, handover: Handover): bigint;
}

const LONGEST_ENTRY = 64;

/** Enough bytes for any format's structure, lists and strings. */
export function infoSize(format: InfoFormat, handover: Omit<Handover, 'memory'>): number {
  const strings = [LOADER_NAME, handover.commandLine, ...handover.modules.map(({ commandLine }) => commandLine)];
  return (
    format.structureSize +
    (MAX_MEMORY_ENTRIES + strings.length) * LONGEST_ENTRY +
    strings.reduce((sum, text) => sum + Buffer.byteLength(text), 0) +
    (handover.sections?.headers.length ?? 0)
  );
}

/** Bytes that will lie at a known address: fields by offset, lists and strings appended behind. */
export class InfoBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #end: number;

  /** `structureSize` bytes are set aside for fields; the rest is for {@link reserve}. */
  constructor(
    readonly base: bigint,
    size: number,
    structureSize: number,
  ) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.#end = structureSize;
  }

  get end(): number {
    return this.#end;
  }

  /** Offset of `size` bytes behind all others, 8-byte aligned. */
  reserve(size: number): number {
    const offset = Math.ceil(this.#end / 8) * 8;
    this.#end = offset + size;
    return offset;
  }

  /** Appends bytes. Returns their offset. */
  append(bytes: Uint8Array): number {
    const offset = this.reserve(bytes.length);
    this.bytes.set(bytes, offset);
    return offset;
  }

  /** Appends a zero-terminated string. Returns its guest-physical address. */
  string(text: string): bigint {
    return this.address(this.append(zeroTerminated(text)));
  }

  address(offset: number): bigint {
    return this.base + BigInt(offset);
  }
}

export function zeroTerminated(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
