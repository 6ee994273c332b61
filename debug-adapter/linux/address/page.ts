/** RAM as the kernel maps all of it, and the `struct page` of each page: Documentation/arch/x86/x86_64/mm.rst. */
import { strip } from '../../expressions/types.ts';
import type { Kernel } from '../kernel.ts';
import type { KernelObject } from '../kernel-object.ts';

const PAGE_SHIFT = 12n;
/** Where both are while KASLR leaves them. */
const DIRECT_MAP = 0xffff_8880_0000_0000n;
const PAGES = 0xffff_ea00_0000_0000n;
/** Newer kernels may have a mask that makes the head's address of another page's, where there was a pointer to the head. */
const LOWEST_MASK = 0xffff_ffff_0000_0000n;
/** Of `page_type`, in kernels in which the type is a number: the byte at the top. */
const TYPE_SHIFT = 24n;

export interface Page {
  /** Guest-physical address of its first byte. */
  readonly physical: bigint;
  /** The `struct page` of the first of the pages that were allocated with it. */
  readonly head: KernelObject;
  /** Guest-virtual address of the first byte of those. */
  readonly base: bigint;
}

/** Guest-virtual address of guest-physical 0. */
export const directMap = (kernel: Kernel) => moved(kernel, 'page_offset_base', DIRECT_MAP);

async function moved(kernel: Kernel, variable: string, unmoved: bigint): Promise<bigint> {
  return kernel.has(variable) ? kernel.word(kernel.address(variable)) : unmoved;
}

/** The page of an address in the direct map; undefined for another address. Throws where the page has no `struct page`. */
export async function pageAt(kernel: Kernel, address: bigint): Promise<Page | undefined> {
  const direct = await directMap(kernel);
  const frame = (address - direct) >> PAGE_SHIFT;
  if (address < direct || frame >= (await kernel.word(kernel.address('max_pfn')))) return undefined;
  const pages = await moved(kernel, 'vmemmap_base', PAGES);
  const size = BigInt(kernel.structure('page').size);
  const page = kernel.object('page', pages + frame * size);
  const head = kernel.object('page', await headOf(page));
  const base = direct + (((head.address - pages) / size) << PAGE_SHIFT);
  return { physical: frame << PAGE_SHIFT, head, base };
}

/** The address of the first of the pages that were allocated with this one: `compound_head`, include/linux/page-flags.h. */
async function headOf(page: KernelObject): Promise<bigint> {
  const info = await page.integer(page.either('compound_info', 'compound_head'));
  if ((info & 1n) === 0n) return page.address;
  return info >= LOWEST_MASK ? page.address & info : info - 1n;
}

/** Names of the flags that are set, as `enum pageflags` has them without `PG_`; of several for one bit the first. */
export async function pageFlags({ head }: Page): Promise<readonly string[]> {
  const { kernel } = head;
  const names = kernel.symbols.typeNamed('pageflags', 'enum');
  const plain = names && strip(names);
  if (plain?.kind !== 'enum') return [];
  const flags = await flagsOf(head);
  const count = plain.enumerators.find(({ name }) => name === '__NR_PAGEFLAGS')?.value ?? 0n;
  const byBit = new Map<bigint, string>();
  for (const { name, value } of plain.enumerators) {
    if (value < count && (flags >> value) & 1n && !byBit.has(value)) byBit.set(value, name.replace(/^PG_/, ''));
  }
  return [...byBit.values()];
}

/** A number, or since 6.18 a structure of one. */
const flagsOf = (page: KernelObject) => page.integer(page.has('flags.f') ? 'flags.f' : 'flags');

/** The slab allocator has it. Until 6.10 a flag says so, since then a type. */
export async function isSlab({ head }: Page): Promise<boolean> {
  const { symbols } = head.kernel;
  const flag = symbols.enumerator('PG_slab');
  if (flag) return (((await flagsOf(head)) >> flag.value) & 1n) === 1n;
  const type = symbols.enumerator('PGTY_slab');
  return type !== undefined && BigInt.asUintN(32, await head.integer('page_type')) >> TYPE_SHIFT === type.value;
}
