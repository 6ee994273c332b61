/** Entry without any bootloader's protocol, for ELF kernels and flat binaries: see elf-direct.ts for what they find. */
import type { BootImage, BootRequest } from './boot-image.ts';
import { longMode, protectedMode } from './cpu-state.ts';
import { type LoaderWish, placeLoaderBlock } from './loader-block.ts';
import { multiboot1Info } from './multiboot1-info.ts';
import type { Placement } from './placement.ts';
import { higher, lower } from './ranges.ts';

const FOUR_GIB = 0x1_0000_0000n;
/** One PML4 entry: more identity map than that costs more tables than it is worth. */
const MOST_IDENTITY = 0x80_0000_0000n;

/** What the loader maps to itself for a kernel that is entered in long mode: [0, the result). */
export function identityEndFor({ ram }: BootRequest): bigint {
  const end = ram.reduce((most, range) => higher(most, range.end), FOUR_GIB);
  return lower(end, MOST_IDENTITY);
}

type Placed = Pick<BootImage, 'segments' | 'zeroed'>;

/** Adds the loader's block to what is placed, and the processor's state at `entry`. */
export function enterDirectly(
  request: BootRequest,
  placement: Placement,
  { segments, zeroed }: Placed,
  entry: bigint,
  wish: Omit<LoaderWish, 'format'>,
): Placed & Pick<BootImage, 'cpu' | 'memory'> {
  const block = placeLoaderBlock(request, placement, { ...wish, format: multiboot1Info });
  const general = { rip: entry, rsp: block.stackTop, rflags: 2n, rdi: block.commandLine, rsi: block.info };
  return {
    segments: [...segments, ...block.segments],
    memory: block.memory,
    zeroed,
    cpu:
      wish.mode === 'long'
        ? longMode({ general, gdt: block.gdt, cr3: block.cr3 })
        : protectedMode({ general, gdt: block.gdt }),
  };
}
