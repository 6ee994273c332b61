/** Loaded kernel modules: the list `modules`, kernel/module. */
import type { Kernel } from './kernel.ts';
import { type Listed, readList } from './list.ts';

const MOST_MODULES = 4096;

export interface KernelModule {
  readonly name: string;
  /** Guest-virtual address of its code. */
  readonly base: bigint;
  /** Bytes of the part that begins there. */
  readonly size: bigint;
}

/** The one loaded last comes first, as in /proc/modules. */
export function readModules(kernel: Kernel): Promise<Listed<KernelModule>> {
  const list = { head: kernel.address('modules'), name: 'module', member: 'list', limit: MOST_MODULES };
  return readList(kernel, list, async (module) => {
    // Since 6.4 each kind of memory has a block of its own; that of the code is the first.
    const layout = module.either('core_layout', 'mem[0]');
    return {
      name: await module.text('name'),
      base: await module.integer(`${layout}.base`),
      size: await module.integer(`${layout}.size`),
    };
  });
}
