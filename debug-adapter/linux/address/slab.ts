/** Objects of the slab allocator: SLUB, mm/slub.c. */
import type { Kernel } from '../kernel.ts';
import type { KernelObject } from '../kernel-object.ts';
import { LinuxError } from '../linux-error.ts';
import { isSlab, type Page } from './page.ts';
import { onlineCpus } from './per-cpu.ts';
import { sheafObjects } from './sheaves.ts';

/** Objects of one slab that are followed; a slab counts them in 15 bits. */
const MOST_FREE = 1 << 15;

export interface SlabObject {
  /** Name of its cache, as in /proc/slabinfo. */
  readonly cache: string;
  readonly address: bigint;
  /** Bytes that its user asked for. */
  readonly size: number;
  readonly allocated: boolean;
}

/** The object that an address in `page` is part of; undefined for a page that is no slab. */
export async function slabObject(page: Page, address: bigint): Promise<SlabObject | undefined> {
  if (!(await isSlab(page))) return undefined;
  const { kernel } = page.head;
  // Before 5.17 struct page has the members.
  const slab = page.head.has('slab_cache') ? page.head : kernel.object('slab', page.head.address);
  const cache = await slab.object('slab_cache');
  if (!cache) return undefined;
  const stride = BigInt(await cache.number('size'));
  if (stride === 0n) throw new LinuxError('A slab cache has objects of no size: guest memory is damaged.');
  const first = page.base + (cache.has('red_left_pad') ? await cache.integer('red_left_pad') : 0n);
  const object = address < first ? first : address - ((address - first) % stride);
  return {
    cache: await cache.text('name'),
    address: object,
    size: await cache.number('object_size'),
    allocated: !(await freeObjects(kernel, cache, slab)).has(object),
  };
}

/** Those of the slab's own list, of those that CPUs keep for themselves, and all that the cache has in sheaves. */
async function freeObjects(kernel: Kernel, cache: KernelObject, slab: KernelObject): Promise<ReadonlySet<bigint>> {
  const free = new Set<bigint>();
  const offset = await cache.integer('offset');
  const secret = cache.has('random') ? await cache.integer('random') : undefined;
  const follow = async (first: bigint) => {
    for (let object = first; object !== 0n && !free.has(object) && free.size < MOST_FREE; ) {
      free.add(object);
      const at = BigInt.asUintN(64, object + offset);
      const next = await kernel.word(at);
      // CONFIG_SLAB_FREELIST_HARDENED: freelist_ptr_decode.
      object = secret === undefined ? next : next ^ secret ^ swapped(at);
    }
  };
  await follow(await slab.integer('freelist'));
  for (const object of await sheafObjects(cache)) free.add(object);
  if (!cache.has('cpu_slab')) return free;
  const perCpu = await cache.integer('cpu_slab');
  for (const cpu of await onlineCpus(kernel)) {
    const own = kernel.object('kmem_cache_cpu', await kernel.perCpuAt(perCpu, cpu));
    await follow(await own.integer('freelist'));
  }
  return free;
}

/** With its bytes the other way round. */
function swapped(word: bigint): bigint {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(word);
  return bytes.readBigUInt64BE();
}
