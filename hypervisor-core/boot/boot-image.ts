/**
 * What a boot protocol makes of a kernel file: bytes to place in guest RAM and the state the first vCPU starts in, both
 * as plain data. Whoever owns the machine copies the one and loads the other.
 */
import type { BootProtocol } from '../protocol/boot-choice.ts';
import type { Personality } from '../protocol/inspect.ts';

/** Guest-physical addresses, `end` excluded. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** An entry of the memory map that a kernel is handed. `usable` false: RAM that it must leave alone. */
export interface MemoryEntry extends AddressRange {
  readonly usable: boolean;
}

export interface BootRequest {
  /** For messages and the command line: the file's name without its folders. */
  readonly name: string;
  /** The kernel file, whole. */
  readonly file: Uint8Array;
  readonly commandLine: string;
  /** The first module where a protocol has modules. */
  readonly initrd?: { readonly name: string; readonly file: Uint8Array };
  /** More modules, for multiboot and PVH kernels. */
  readonly modules?: readonly BootModule[];
  /** Guest RAM, ascending, without overlaps. */
  readonly ram: readonly AddressRange[];
  /** Taken from the content when absent. */
  readonly protocol?: BootProtocol;
  /** Where a flat binary is loaded and entered. 0x7c00 in 16-bit mode and 1 MiB in the others when absent. */
  readonly address?: bigint;
  /** The framebuffer, likewise handed on. */
  readonly framebuffer?: BootFramebuffer;
  /** Guest-physical address of the ACPI RSDP, handed on by the protocols that have a field for it. */
  readonly rsdp?: bigint;
}

/** A linear framebuffer, 32 bits a pixel: blue in bits 7 to 0, green in 15 to 8, red in 23 to 16. */
export interface BootFramebuffer {
  /** Guest-physical address of the first pixel. */
  readonly address: bigint;
  /** Bytes of memory. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  /** Bytes from a row to the next. */
  readonly stride: number;
}

/** What every boot protocol says of its pixels, in bits. */
export const PIXEL = {
  bits: 32,
  red: { position: 16, size: 8 },
  green: { position: 8, size: 8 },
  blue: { position: 0, size: 8 },
  unused: { position: 24, size: 8 },
} as const;

export interface BootModule {
  /** What the kernel is told about it: by custom a name and parameters. */
  readonly commandLine: string;
  readonly file: Uint8Array;
}

/** Bytes that must be in guest memory before the first instruction. */
export interface BootSegment {
  readonly gpa: bigint;
  /** Where the kernel will map these bytes (p_vaddr), when the file says it. */
  readonly gva?: bigint;
  readonly bytes: Uint8Array;
  readonly name: string;
  /** Which of the bytes are code, as offsets, and of how many bits; absent where the file does not say. */
  readonly code?: {
    readonly bits: 32 | 64;
    readonly ranges: readonly { readonly start: number; readonly end: number }[];
  };
}

/** Memory that the kernel expects to be zero (.bss). RAM of a new machine is; a restarted one must clear it. */
export interface ZeroedRange extends AddressRange {
  readonly name: string;
}

/** A segment register with its hidden part, as in `struct kvm_segment`. */
export interface SegmentState {
  readonly selector: number;
  readonly base: bigint;
  readonly limit: number;
  readonly type: number;
  /** 1 for code and data, 0 for system segments. */
  readonly s: number;
  readonly dpl: number;
  readonly present: number;
  readonly l: number;
  readonly db: number;
  readonly g: number;
}

/** State of vCPU 0 at its first instruction. General registers that are not named are zero. */
export interface InitialCpu {
  readonly mode: 'real' | 'protected32' | 'long';
  readonly general: Readonly<Partial<Record<'rax' | 'rbx' | 'rcx' | 'rdx' | 'rsi' | 'rdi' | 'rbp', bigint>>> & {
    readonly rip: bigint;
    readonly rsp: bigint;
    readonly rflags: bigint;
  };
  readonly segments: Readonly<Record<'cs' | 'ds' | 'es' | 'fs' | 'gs' | 'ss' | 'tr' | 'ldt', SegmentState>>;
  readonly gdt: { readonly base: bigint; readonly limit: number };
  readonly idt: { readonly base: bigint; readonly limit: number };
  readonly cr0: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly efer: bigint;
}

export interface BootImage {
  readonly protocol: BootProtocol;
  readonly segments: readonly BootSegment[];
  readonly zeroed: readonly ZeroedRange[];
  /** Bytes of ROM that end at 4 GiB, for firmware; what they are is a segment. */
  readonly romSize?: number;
  /** What the kernel is told of RAM, where its boot protocol tells it. */
  readonly memory?: readonly MemoryEntry[];
  readonly cpu: InitialCpu;
  /** Asked for by an ELF note with owner `Ringside`, see elf-file.ts. */
  readonly personality?: Personality;
  /** One line for a person. */
  readonly description: string;
}

/** A file that cannot be booted. The message says what is wrong and where; `remedy` what to do about it. */
export class BootError extends Error {
  constructor(
    message: string,
    readonly remedy: string,
  ) {
    super(`${message} ${remedy}`);
    this.name = 'BootError';
  }
}
