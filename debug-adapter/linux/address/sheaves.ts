/** Sheaves: arrays of free objects that newer slab allocators keep at hand for each CPU and, in barns, for each NUMA node; mm/slub.c. */
import { readList } from '../containers/list.ts';
import type { Kernel } from '../kernel.ts';
import type { KernelObject } from '../kernel-object.ts';
import { onlineCpus } from './per-cpu.ts';

/** Objects of one sheaf, sheaves of one barn, and nodes, that are read. */
const MOST_OBJECTS = 4096;
const MOST_SHEAVES = 4096;
const MOST_NODES = 1024;
const WORD = 8;

/** Addresses of the free objects that a cache (`struct kmem_cache`) has in sheaves; none where kernels have no sheaves. */
export async function sheafObjects(cache: KernelObject): Promise<readonly bigint[]> {
  if (!cache.has('cpu_sheaves')) return [];
  const found: bigint[] = [];
  for (const sheaf of [...(await sheavesOfCpus(cache)), ...(await sheavesInBarns(cache))]) {
    const count = Math.min(await sheaf.number('size'), MOST_OBJECTS);
    const bytes = Buffer.from(await cache.kernel.read(sheaf.addressOf('objects'), WORD * count));
    for (let n = 0; n < count; n++) found.push(bytes.readBigUInt64LE(WORD * n));
  }
  return found;
}

async function sheavesOfCpus(cache: KernelObject): Promise<readonly KernelObject[]> {
  const { kernel } = cache;
  const perCpu = await cache.integer('cpu_sheaves');
  const found = [];
  for (const cpu of perCpu === 0n ? [] : await onlineCpus(kernel)) {
    const own = kernel.object('slub_percpu_sheaves', await kernel.perCpuAt(perCpu, cpu));
    for (const name of ['main', 'spare', 'rcu_free']) found.push(await own.object(name));
  }
  return found.filter((sheaf) => sheaf !== undefined);
}

async function sheavesInBarns(cache: KernelObject): Promise<readonly KernelObject[]> {
  const { kernel } = cache;
  const found = [];
  for (let node = 0; node < (await nodeCount(kernel)); node++) {
    const barn = await barnOf(cache, node);
    if (!barn) continue;
    const head = barn.addressOf('sheaves_full');
    const list = { head, name: 'slab_sheaf', member: 'barn_list', limit: MOST_SHEAVES };
    found.push(...(await readList(kernel, list, async (sheaf) => sheaf)).items);
  }
  return found;
}

/** A barn belonged to the cache's `kmem_cache_node` before the cache itself had both for each node. */
async function barnOf(cache: KernelObject, node: number): Promise<KernelObject | undefined> {
  if (cache.has('per_node')) return cache.object(`per_node[${node}].barn`);
  const { kernel } = cache;
  const address = await kernel.word(cache.addressOf('node') + BigInt(WORD * node));
  return address === 0n ? undefined : kernel.object('kmem_cache_node', address).object('barn');
}

async function nodeCount(kernel: Kernel): Promise<number> {
  if (!kernel.has('nr_node_ids')) return 1;
  const count = BigInt.asUintN(32, await kernel.word(kernel.address('nr_node_ids')));
  return Math.min(Number(count), MOST_NODES);
}
