/** Loaded kernel modules: the list `modules`, kernel/module. */

import { type Listed, readList } from './containers/list.ts';
import type { Kernel } from './kernel.ts';
import type { KernelObject } from './kernel-object.ts';
import { LinuxError } from './linux-error.ts';

/** Both have the module as their argument: it is about to run its first code, and its last has run. */
export const MODULE_FUNCTIONS = ['do_init_module', 'free_module'];

/** Code of a module is as it is going to run, and so is the kernel's own, after `mark_rodata_ro`: init/main.c. */
export const CODE_FUNCTIONS = ['do_init_module', 'rcu_end_inkernel_boot'];

const MOST_MODULES = 4096;
/** Sections of one module that are read. */
const MOST_SECTIONS = 512;
const LONGEST_NAME = 128;
const WORD = 8;
/** `enum mod_mem_type`, include/linux/module.h: the kinds of memory of one module. */
const MEMORY_KINDS = 7;

export interface KernelModule {
  readonly name: string;
  /** Guest-virtual address of its code. */
  readonly base: bigint;
  /** Bytes of the part that begins there. */
  readonly size: bigint;
}

/** A module with all that its symbols need to be placed. */
export interface PlacedModule extends KernelModule {
  /** Of its `struct module`. */
  readonly address: bigint;
  /** All memory that it has. */
  readonly ranges: readonly { readonly base: bigint; readonly size: bigint }[];
  /** Guest-virtual addresses of its sections, by name. */
  readonly sections: ReadonlyMap<string, bigint>;
}

/** The one loaded last comes first, as in /proc/modules. */
export function readModules(kernel: Kernel): Promise<Listed<KernelModule>> {
  return readList(kernel, moduleList(kernel), readModule);
}

/** As {@link readModules}, with the places of those that `wanted` is true for. */
export async function readPlacedModules(
  kernel: Kernel,
  wanted: (name: string) => boolean,
): Promise<readonly PlacedModule[]> {
  const { items } = await readList(kernel, moduleList(kernel), async (module) => {
    const known = await readModule(module);
    if (!wanted(known.name)) return [];
    const { address } = module;
    return [{ ...known, address, ranges: await rangesOf(module), sections: await sectionsOf(module, known.base) }];
  });
  return items.flat();
}

/** Changes whenever a module is loaded. */
export async function newestModule(kernel: Kernel): Promise<bigint> {
  return kernel.word(kernel.address('modules'));
}

const moduleList = (kernel: Kernel) => ({
  head: kernel.address('modules'),
  name: 'module',
  member: 'list',
  limit: MOST_MODULES,
});

async function readModule(module: KernelObject): Promise<KernelModule> {
  // Since 6.4 each kind of memory has a block of its own; that of the code is the first.
  const layout = module.either('core_layout', 'mem[0]');
  return {
    name: await module.text('name'),
    base: await module.integer(`${layout}.base`),
    size: await module.integer(`${layout}.size`),
  };
}

async function rangesOf(module: KernelObject): Promise<PlacedModule['ranges']> {
  const since64 = Array.from({ length: MEMORY_KINDS }, (_, kind) => `mem[${kind}]`);
  const layouts = ['core_layout', 'init_layout', ...since64].filter((layout) => module.has(`${layout}.base`));
  const ranges = [];
  for (const layout of layouts) {
    ranges.push({ base: await module.integer(`${layout}.base`), size: await module.integer(`${layout}.size`) });
  }
  return ranges.filter(({ base, size }) => base !== 0n && size !== 0n);
}

/** As /sys/module/NAME/sections has them; where the kernel has no such, its code alone. */
async function sectionsOf(module: KernelObject, base: bigint): Promise<ReadonlyMap<string, bigint>> {
  const sections = new Map([['.text', base]]);
  const { kernel } = module;
  const attributes = module.has('sect_attrs') ? await module.object('sect_attrs') : undefined;
  // A null pointer ends the group.
  const files = attributes ? await attributes.integer('grp.bin_attrs') : 0n;
  for (let n = 0; files !== 0n; n++) {
    if (n > MOST_SECTIONS) throw new LinuxError('A module has too many sections: guest memory is damaged.');
    const file = await kernel.word(files + BigInt(n * WORD));
    if (file === 0n) break;
    const attribute = kernel.object('bin_attribute', file);
    const bytes = await kernel.available(await attribute.integer('attr.name'), LONGEST_NAME);
    const end = bytes.indexOf(0);
    if (end <= 0) continue;
    const name = Buffer.from(bytes.subarray(0, end)).toString('latin1');
    sections.set(name, await sectionAddress(attribute));
  }
  return sections;
}

/** Until 6.13 the file of a section is in a structure that has the address, too; since then the file says it alone. */
function sectionAddress(file: KernelObject): Promise<bigint> {
  const { kernel } = file;
  if (!kernel.symbols.typeNamed('module_sect_attr', 'struct')) return file.integer('private');
  const offset = kernel.object('module_sect_attr', 0n).addressOf('battr');
  return kernel.object('module_sect_attr', file.address - offset).integer('address');
}
