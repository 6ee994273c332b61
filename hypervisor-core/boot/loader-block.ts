/**
 * What the loader itself puts into guest memory, in one block so that a kernel can step around it: a small stack, the
 * descriptor table, the multiboot information and, for long mode, page tables. The block lies as high as possible below
 * 0x9f000 and is marked as reserved in the memory map.
 */
import { BootError, type BootRequest, type BootSegment, type InitialCpu } from './boot-image.ts';
import { gdtBytes } from './cpu-state.ts';
import type { LoaderTables } from './loader-tables.ts';
import { infoSize, writeInfo } from './multiboot1-info.ts';
import type { Placement } from './placement.ts';

const PAGE = 0x1000n;
const STACK_SIZE = 0x1000n;
const GDT_SPACE = 0x20n;
const MAX_COMMAND_LINE = 0x1_0000;

export interface LoaderBlock {
  readonly stackTop: bigint;
  readonly gdt: bigint;
  readonly info: bigint;
  readonly commandLine: bigint;
  /** Address of the page tables; 0 when there are none. */
  readonly cr3: bigint;
  /** The block and the initial RAM disk. */
  readonly segments: readonly BootSegment[];
}

/** Places the block and the initial RAM disk. The kernel's own segments must be claimed before. */
export function placeLoaderBlock(
  request: BootRequest,
  placement: Placement,
  mode: InitialCpu['mode'],
  tables?: LoaderTables,
): LoaderBlock {
  if (request.commandLine.length > MAX_COMMAND_LINE) {
    throw new BootError(
      `The command line has ${request.commandLine.length} characters; at most ${MAX_COMMAND_LINE} are accepted.`,
      'Shorten it.',
    );
  }
  if (request.commandLine.includes('\0')) {
    throw new BootError('The command line contains a zero character.', 'Remove it.');
  }
  const segments: BootSegment[] = [];
  const initrd = request.initrd;
  let module: { start: bigint; end: bigint; name: string } | undefined;
  if (initrd) {
    const name = `initrd ${initrd.name}`;
    const start = placement.allocateHigh(BigInt(initrd.file.length), name);
    module = { start, end: start + BigInt(initrd.file.length), name: initrd.name };
    segments.push({ gpa: start, bytes: initrd.file, name });
  }

  const information = { commandLine: request.commandLine, ...(module && { module }) };
  const tablesAt = STACK_SIZE + ((GDT_SPACE + infoSize(information) + PAGE - 1n) & -PAGE);
  const base = placement.allocateLow(tablesAt + (tables?.size ?? 0n), 'the loader');
  const gdt = base + STACK_SIZE;
  const written = writeInfo(information, gdt + GDT_SPACE, placement, base);
  segments.push({ gpa: gdt, bytes: gdtBytes(mode), name: 'boot descriptor table' }, written.segment);
  const cr3 = tables ? base + tablesAt : 0n;
  if (tables) segments.push({ gpa: cr3, bytes: tables.bytes(cr3), name: 'boot page tables' });
  return { stackTop: gdt, gdt, info: written.info, commandLine: written.commandLine, cr3, segments };
}
