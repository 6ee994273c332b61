/** What a pointer points to, as far as the kernel itself knows. */
import { inUpperHalf } from '../../../hypervisor-core/paging/paging-mode.ts';
import { symbolOffset } from '../../symbols/readable-name.ts';
import type { Kernel } from '../kernel.ts';
import { orNothing } from '../linux-error.ts';
import { readTasks, type Task } from '../tasks.ts';
import { type Page, pageAt, pageFlags } from './page.ts';
import { onlineCpus, perCpuVariable } from './per-cpu.ts';
import { linuxRegions, regionAt } from './regions.ts';
import { slabObject } from './slab.ts';
import { type UserArea, userArea } from './user-area.ts';
import { vmallocArea } from './vmalloc.ts';

const hex = (value: bigint) => `0x${value.toString(16)}`;
const named = ({ comm, pid }: Task) => `${comm} (${pid})`;

/**
 * Lines about an address, the most particular first; empty where nothing is known. @param current the task whose address
 * space the lower half is
 */
export async function identify(kernel: Kernel, address: bigint, current?: Task): Promise<readonly string[]> {
  if (!inUpperHalf(address)) return inProcess(kernel, address, current);
  const found = [];
  // Where one part of the kernel's data is damaged, the others still tell.
  for (const part of [inImage, inPerCpu, ofTask, inVmalloc, inRam, inRegion]) {
    found.push(...((await orNothing(() => part(kernel, address))) ?? []));
  }
  return found;
}

async function inImage({ symbols }: Kernel, address: bigint): Promise<string[]> {
  const symbol = symbols.symbolAt(address);
  if (!symbol || address >= symbol.address + (symbol.size || 1n)) return [];
  return [`${symbol.kind === 'other' ? 'symbol' : symbol.kind} ${symbolOffset(symbol, address)}`];
}

async function inPerCpu(kernel: Kernel, address: bigint): Promise<string[]> {
  const variable = await perCpuVariable(kernel, address);
  return variable ? [`per-CPU variable ${variable}`] : [];
}

async function ofTask(kernel: Kernel, address: bigint): Promise<string[]> {
  const { items } = await readTasks(kernel, (await onlineCpus(kernel)).length);
  const bytes = stackSize(kernel);
  const size = BigInt(kernel.structure('task_struct').size);
  return items.flatMap((task) => {
    const lines = [];
    if (task.address <= address && address < task.address + size)
      lines.push(`task_struct of ${named(task)}, offset ${hex(address - task.address)}`);
    if (task.stack <= address && address < task.stack + bytes)
      lines.push(`kernel stack of ${named(task)}, ${hex(address - task.stack)} of ${hex(bytes)} bytes`);
    return lines;
  });
}

/** In bytes, THREAD_SIZE: between the labels around the first task's stack (include/asm-generic/vmlinux.lds.h). */
function stackSize(kernel: Kernel): bigint {
  const label = ['init_stack', 'init_task'].find((each) => kernel.has(`__end_${each}`));
  return label ? kernel.address(`__end_${label}`) - kernel.address(`__start_${label}`) : 0n;
}

async function inVmalloc(kernel: Kernel, address: bigint): Promise<string[]> {
  const area = await vmallocArea(kernel, address);
  if (!area) return [];
  return [`vmalloc area ${hex(area.start)}-${hex(area.end)}${area.caller && `, made by ${area.caller}`}`];
}

async function inRam(kernel: Kernel, address: bigint): Promise<string[]> {
  const page = await pageAt(kernel, address);
  if (!page) return [];
  const flags = await pageFlags(page);
  return [
    ...((await orNothing(() => inSlab(page, address))) ?? []),
    `RAM, guest-physical ${hex(page.physical + (address & 0xfffn))}; page flags: ${flags.join(', ') || 'none'}`,
  ];
}

async function inRegion(kernel: Kernel, address: bigint): Promise<string[]> {
  const region = regionAt(await linuxRegions(kernel), address);
  return region ? [`region ${region.name}, ${hex(region.start)}-${hex(region.end)}`] : [];
}

async function inSlab(page: Page, address: bigint): Promise<string[]> {
  const object = await slabObject(page, address);
  if (!object) return [];
  const use = object.allocated ? '' : 'free ';
  return [
    `${use}slab object ${object.cache}+${hex(address - object.address)}, of ${object.size} bytes at ${hex(object.address)}`,
  ];
}

async function inProcess(kernel: Kernel, address: bigint, current: Task | undefined): Promise<readonly string[]> {
  const space = current && (await kernel.object('task_struct', current.address).object('mm'));
  const area = space && (await userArea(space, address));
  return current && area ? [`memory of ${named(current)}: ${describe(area)}`] : [];
}

const describe = ({ start, end, rights, file }: UserArea) => `${hex(start)}-${hex(end)} ${rights} ${file}`.trimEnd();
