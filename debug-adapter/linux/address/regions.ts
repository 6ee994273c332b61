/**
 * What a kernel for x86-64 has where in its address space: Documentation/arch/x86/x86_64/mm.rst. Most of it is where every kernel has
 * it; what KASLR moves (CONFIG_RANDOMIZE_MEMORY) the kernel itself says.
 */
import type { Kernel } from '../kernel.ts';

export interface LinuxRegion {
  readonly name: string;
  readonly start: bigint;
  /** First address after it. */
  readonly end: bigint;
}

/** By the bit of an address that the root of the page tables begins at: of four levels, and of five. */
const layouts = {
  39: {
    user: 0x8000_0000_0000n,
    ldt: { start: 0xffff_8800_0000_0000n, end: 0xffff_8880_0000_0000n },
    direct: 0xffff_8880_0000_0000n,
    vmalloc: 0xffff_c900_0000_0000n,
    vmemmap: { start: 0xffff_ea00_0000_0000n, size: 1n << 40n },
    kasan: { start: 0xffff_ec00_0000_0000n, end: 0xffff_fc00_0000_0000n },
  },
  48: {
    user: 0x100_0000_0000_0000n,
    ldt: { start: 0xff10_0000_0000_0000n, end: 0xff11_0000_0000_0000n },
    direct: 0xff11_0000_0000_0000n,
    vmalloc: 0xffa0_0000_0000_0000n,
    vmemmap: { start: 0xffd4_0000_0000_0000n, size: 1n << 49n },
    kasan: { start: 0xffdf_0000_0000_0000n, end: 0xffff_fc00_0000_0000n },
  },
} as const;

const above: readonly LinuxRegion[] = [
  { name: 'CPU entry area', start: 0xffff_fe00_0000_0000n, end: 0xffff_fe80_0000_0000n },
  { name: 'ESPFIX stacks', start: 0xffff_ff00_0000_0000n, end: 0xffff_ff80_0000_0000n },
  { name: 'EFI runtime services', start: 0xffff_ffef_0000_0000n, end: 0xffff_ffff_0000_0000n },
  { name: 'fixmap', start: 0xffff_ffff_ff00_0000n, end: 0xffff_ffff_ff60_0000n },
  { name: 'vsyscall', start: 0xffff_ffff_ff60_0000n, end: 0xffff_ffff_ff60_1000n },
];

const IMAGE = 0xffff_ffff_8000_0000n;
/** Of the image's part: half a GiB, or one where KASLR may move the kernel in it (KERNEL_IMAGE_SIZE). */
const IMAGE_SIZE = { fixed: 0x2000_0000n, moved: 0x4000_0000n };
const MODULES_END = 0xffff_ffff_ff00_0000n;

/** In no order; they do not overlap. */
export async function linuxRegions(kernel: Kernel): Promise<readonly LinuxRegion[]> {
  const shift = kernel.has('pgdir_shift') ? BigInt.asUintN(32, await kernel.word(kernel.address('pgdir_shift'))) : 39n;
  const layout = layouts[shift === 48n ? 48 : 39];
  const base = async (variable: string, unmoved: bigint) =>
    kernel.has(variable) ? kernel.word(kernel.address(variable)) : unmoved;
  const direct = await base('page_offset_base', layout.direct);
  const vmalloc = await base('vmalloc_base', layout.vmalloc);
  const vmemmap = await base('vmemmap_base', layout.vmemmap.start);
  const modules = IMAGE + (kernel.has('module_load_offset') ? IMAGE_SIZE.moved : IMAGE_SIZE.fixed);
  return [
    { name: 'user space', start: 0n, end: layout.user },
    { name: 'LDT remap', ...layout.ldt },
    { name: 'direct map', start: direct, end: vmalloc },
    { name: 'vmalloc', start: vmalloc, end: vmemmap },
    { name: 'vmemmap', start: vmemmap, end: vmemmap + layout.vmemmap.size },
    ...(kernel.has('kasan_init') ? [{ name: 'KASAN shadow', ...layout.kasan }] : []),
    { name: 'kernel image', start: IMAGE, end: modules },
    { name: 'modules', start: modules, end: MODULES_END },
    ...above,
  ];
}

/** The one of them that an address is in. */
export const regionAt = (regions: readonly LinuxRegion[], address: bigint): LinuxRegion | undefined =>
  regions.find(({ start, end }) => address >= start && address < end);
