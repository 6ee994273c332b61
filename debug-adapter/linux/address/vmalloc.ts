/** What is mapped by vmalloc and ioremap: `struct vmap_area`, mm/vmalloc.c. */

import { readList } from '../containers/list.ts';
import type { Kernel } from '../kernel.ts';
import type { KernelObject } from '../kernel-object.ts';

const MOST_AREAS = 1 << 16;
const MOST_NODES = 1024;

export interface VmallocArea {
  readonly start: bigint;
  /** First address after it, its guard page included. */
  readonly end: bigint;
  /** Who asked for it, as symbol and offset. */
  readonly caller: string;
}

/** The area with `address`; undefined where there is none. */
export async function vmallocArea(kernel: Kernel, address: bigint): Promise<VmallocArea | undefined> {
  for (const head of await listHeads(kernel)) {
    let found: KernelObject | undefined;
    const list = { head, name: 'vmap_area', member: 'list', limit: MOST_AREAS };
    await readList(kernel, list, async (area) => {
      const within = (await area.integer('va_start')) <= address && address < (await area.integer('va_end'));
      if (within) found = area;
    });
    if (found) return describe(found);
  }
  return undefined;
}

/** Since 6.9 areas are spread over several lists. */
async function listHeads(kernel: Kernel): Promise<readonly bigint[]> {
  if (kernel.has('vmap_area_list')) return [kernel.address('vmap_area_list')];
  if (!kernel.has('vmap_nodes')) return [];
  const nodes = await kernel.word(kernel.address('vmap_nodes'));
  const count = Number(BigInt.asUintN(32, await kernel.word(kernel.address('nr_vmap_nodes'))));
  const size = kernel.structure('vmap_node').size;
  return Array.from({ length: Math.min(count, MOST_NODES) }, (_, n) =>
    kernel.object('vmap_node', nodes + BigInt(n * size)).addressOf('busy.head'),
  );
}

async function describe(area: KernelObject): Promise<VmallocArea> {
  const { kernel } = area;
  const vm = await area.object('vm');
  return {
    start: await area.integer('va_start'),
    end: await area.integer('va_end'),
    caller: vm ? kernel.nameOf(await vm.integer('caller')) : '',
  };
}
