/** Areas of a process's own address space: `struct vm_area_struct`, as in /proc/PID/maps. */

import { mapleEntries } from '../containers/maple-tree.ts';
import type { KernelObject } from '../kernel-object.ts';

const MOST_AREAS = 1 << 16;
const DEEPEST_PATH = 64;
/** include/linux/mm.h: VM_READ, VM_WRITE, VM_EXEC, VM_SHARED. */
const letters = [
  [1n, 'r', '-'],
  [2n, 'w', '-'],
  [4n, 'x', '-'],
  [8n, 's', 'p'],
] as const;

export interface UserArea {
  readonly start: bigint;
  readonly end: bigint;
  /** `rwxp`, `r-xs`. */
  readonly rights: string;
  /** What is mapped, by its path on its own file system; empty for memory of the process alone. */
  readonly file: string;
}

/** The area of an address space (`struct mm_struct`) with `address`. */
export async function userArea(space: KernelObject, address: bigint): Promise<UserArea | undefined> {
  const area = await areaWith(space, address);
  if (!area) return undefined;
  const start = await area.integer('vm_start');
  const end = await area.integer('vm_end');
  if (address < start || address >= end) return undefined;
  const flags = await area.integer('vm_flags');
  const rights = letters.map(([bit, set, clear]) => (flags & bit ? set : clear)).join('');
  const file = await area.object('vm_file');
  return { start, end, rights, file: file ? await pathOf(file) : '' };
}

async function areaWith(space: KernelObject, address: bigint): Promise<KernelObject | undefined> {
  if (space.has('mm_mt')) {
    const tree = await space.object('mm_mt');
    if (!tree) return undefined;
    for await (const { entry } of mapleEntries(tree, address)) return space.kernel.object('vm_area_struct', entry);
    return undefined;
  }
  // Before 6.1 they are in a list by address.
  let area = await space.object('mmap');
  for (let n = 0; area && n < MOST_AREAS && (await area.integer('vm_end')) <= address; n++) {
    area = await area.object('vm_next');
  }
  return area;
}

async function pathOf(file: KernelObject): Promise<string> {
  const names: string[] = [];
  let entry = await file.object('f_path.dentry');
  while (entry && names.length < DEEPEST_PATH) {
    const parent = await entry.object('d_parent');
    if (!parent || parent.address === entry.address) break;
    names.unshift(await entry.text('d_name.name'));
    entry = parent;
  }
  return `/${names.join('/')}`;
}
