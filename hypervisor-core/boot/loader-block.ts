/**
 * What the loader itself puts into guest memory, in one block so that a kernel can step around it: a small stack, the
 * descriptor table, the information structure and, for long mode, page tables. The block lies as high as possible below
 * 0x9f000 and is marked as reserved in the memory map. Modules lie above 1 MiB.
 */
import { BootError, type BootRequest, type BootSegment, type MemoryEntry } from './boot-image.ts';
import { CODE_SELECTOR, GDT_SIZE, gdtBytes } from './cpu-state.ts';
import type { ElfFile } from './elf-file.ts';
import { placeSections } from './elf-sections.ts';
import { bootMemoryMap } from './guest-memory.ts';
import { InfoBytes, type InfoFormat, infoSize, type PlacedModule } from './handover.ts';
import type { LoaderTables } from './loader-tables.ts';
import { LOW_MEMORY_END, type Placement } from './placement.ts';
import { lower } from './ranges.ts';

const PAGE = 0x1000n;
const STACK_SIZE = 0x1000n;
const MAX_COMMAND_LINE = 0x1_0000;
const MAX_MODULES = 256;
/** 40:13 of the BIOS data area. */
const BASE_MEMORY_SIZE = 0x413n;
const FOUR_GIB = 0x1_0000_0000n;

export interface LoaderBlock {
  readonly stackTop: bigint;
  readonly gdt: bigint;
  readonly info: bigint;
  readonly commandLine: bigint;
  /** Address of the page tables; 0 when there are none. */
  readonly cr3: bigint;
  /** The block, the modules and the symbol tables. */
  readonly segments: readonly BootSegment[];
  /** What the kernel is told of RAM. */
  readonly memory: readonly MemoryEntry[];
}

export interface LoaderWish {
  readonly mode: 'protected32' | 'long';
  readonly format: InfoFormat;
  readonly codeSelector?: (typeof CODE_SELECTOR)[keyof typeof CODE_SELECTOR];
  readonly tables?: LoaderTables;
  /** The kernel, where the protocol hands its section headers over. */
  readonly sectionsOf?: ElfFile;
  /** Modules must end below this. */
  readonly moduleLimit?: bigint;
  /** Most characters of the command line. */
  readonly longestCommandLine?: number;
}

/** Places the block and the modules. The kernel's own segments must be claimed before. */
export function placeLoaderBlock(request: BootRequest, placement: Placement, wish: LoaderWish): LoaderBlock {
  checkCommandLine(request.commandLine, wish.longestCommandLine ?? MAX_COMMAND_LINE);
  const loadBase = placement.taken.reduce((least, { start }) => lower(least, start), FOUR_GIB);
  const { modules, segments } = placeModules(request, placement, wish.moduleLimit);
  const sections = wish.sectionsOf && placeSections(request.file, wish.sectionsOf.bits, placement);
  const known = {
    commandLine: request.commandLine,
    modules,
    loadBase,
    ...(request.rsdp !== undefined && { rsdp: request.rsdp }),
    ...(request.framebuffer && { framebuffer: request.framebuffer }),
    ...(sections && { sections: sections.table }),
  };

  const size = infoSize(wish.format, known);
  const tablesAt = STACK_SIZE + ((BigInt(GDT_SIZE + size) + PAGE - 1n) & -PAGE);
  const base = placement.allocateLow(tablesAt + (wish.tables?.size ?? 0n), 'the loader');
  const gdt = base + STACK_SIZE;
  const cr3 = wish.tables ? base + tablesAt : 0n;
  const kept = [...placement.taken.filter(({ start }) => start === base), ...(sections?.segments ?? []).map(extent)];
  const info = new InfoBytes(gdt + BigInt(GDT_SIZE), size, wish.format.structureSize);
  const memory = bootMemoryMap(placement, kept);
  const commandLine = wish.format.write(info, { ...known, memory });
  return {
    stackTop: gdt,
    gdt,
    info: info.base,
    commandLine,
    cr3,
    memory,
    segments: [
      ...segments,
      ...(sections?.segments ?? []),
      { gpa: gdt, bytes: gdtBytes(wish.mode, wish.codeSelector ?? CODE_SELECTOR.usual), name: 'boot descriptor table' },
      { gpa: info.base, bytes: info.bytes, name: 'boot information' },
      ...baseMemory(placement, base),
      ...(wish.tables ? [{ gpa: cr3, bytes: wish.tables.bytes(cr3), name: 'boot page tables' }] : []),
    ],
  };
}

/**
 * The BIOS data area's base memory size, in KiB: kernels that come from a PC's firmware put their own real-mode code
 * below it (Xen does), and so below the block. Left out where the kernel itself is loaded there.
 */
function baseMemory(placement: Placement, end: bigint): BootSegment[] {
  if (placement.taken.some((range) => range.start < BASE_MEMORY_SIZE + 2n && range.end > BASE_MEMORY_SIZE)) return [];
  const kibibytes = Number(lower(end, LOW_MEMORY_END) >> 10n);
  return [{ gpa: BASE_MEMORY_SIZE, bytes: Uint8Array.of(kibibytes & 0xff, kibibytes >> 8), name: 'BIOS data area' }];
}

const extent = ({ gpa, bytes }: BootSegment) => ({
  start: gpa,
  end: (gpa + BigInt(bytes.length) + PAGE - 1n) & -PAGE,
});

function checkCommandLine(commandLine: string, longest: number): void {
  if (commandLine.length > longest) {
    throw new BootError(
      `The command line has ${commandLine.length} characters; this kernel accepts at most ${longest}.`,
      'Shorten it.',
    );
  }
  if (commandLine.includes('\0')) {
    throw new BootError('The command line contains a zero character.', 'Remove it.');
  }
}

/** The initial RAM disk comes first, named as its file. */
function placeModules({ initrd, modules = [] }: BootRequest, placement: Placement, limit = FOUR_GIB) {
  const all = [...(initrd ? [{ commandLine: initrd.name, file: initrd.file }] : []), ...modules];
  if (all.length > MAX_MODULES) {
    throw new BootError(`There are ${all.length} modules; at most ${MAX_MODULES} are accepted.`, 'Join some of them.');
  }
  const segments: BootSegment[] = [];
  const placed = all.map(({ commandLine, file }, index): PlacedModule => {
    const name = index === 0 && initrd ? `initrd ${initrd.name}` : `module ${commandLine.slice(0, 64)}`;
    const start = placement.allocateHigh(BigInt(file.length), name, limit);
    segments.push({ gpa: start, bytes: file, name });
    return { start, end: start + BigInt(file.length), commandLine };
  });
  return { modules: placed, segments };
}
