import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ElfFile } from '../symbols/elf.ts';
import { openSymbols } from '../symbols/symbols.ts';
import { Kernel } from './kernel.ts';
import { readPlacedModules } from './modules.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringside-modules-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What Linux 6.14 and later ones have of a module with two sections; `LINKS` are the elements of the group's array. */
const source = `
struct list_head { struct list_head *next, *prev; };
struct task_struct { int pid; } init_task;
struct attribute { const char *name; unsigned short mode; };
struct bin_attribute { struct attribute attr; unsigned long size; void *private; };
struct attribute_group {
  const char *name;
  union { const struct bin_attribute *const *bin_attrs; const struct bin_attribute *const *bin_attrs_new; };
};
struct module_sect_attrs { struct attribute_group grp; struct bin_attribute attrs[2]; };
struct module_memory { void *base; unsigned int size; };
struct module {
  int state; struct list_head list; char name[56]; struct module_memory mem[7]; struct module_sect_attrs *sect_attrs;
};
extern struct list_head modules;
struct module_sect_attrs sections;
const struct bin_attribute *links[] = { LINKS };
struct module_sect_attrs sections = {
  { "sections", { links } },
  { { { ".text", 0400 }, 19, (void *)0xffffffffc0001000 }, { { ".init.text", 0400 }, 19, (void *)0xffffffffc0009000 } },
};
struct module module = { 0, { &modules, &modules }, "sample", { { (void *)0xffffffffc0001000, 4096 } }, &sections };
struct list_head modules = { &module.list, &module.list };
`;

/** The modules that a kernel with this data has. */
async function modulesWith(links: string) {
  const [text, image] = [join(folder, 'kernel.c'), join(folder, 'kernel')];
  writeFileSync(text, source);
  const address = ['-mcmodel=kernel', '-fno-pie', '-no-pie', '-Wl,-Ttext-segment=0xffffffff81000000', '-Wl,-e,0'];
  execFileSync('gcc', ['-g', '-nostdlib', '-static', ...address, `-DLINKS=${links}`, '-o', image, text]);
  const elf = ElfFile.open(image);
  const symbols = await openSymbols(image);
  const kernel = await Kernel.of(symbols, async (from, length) => {
    const end = (section: { address: bigint; size: number }) => section.address + BigInt(section.size);
    const section = elf.sections.find((each) => each.address !== 0n && each.address <= from && from < end(each));
    const at = Number(from - (section?.address ?? 0n));
    return elf.bytes(section).subarray(at, at + length);
  });
  try {
    return await readPlacedModules(kernel, () => true);
  } finally {
    symbols.close();
    elf.close();
  }
}

test('sections of a module whose files have the addresses, up to the null pointer that ends them', async () => {
  const [module] = await modulesWith('&sections.attrs[0], &sections.attrs[1], 0, &sections.attrs[0]');
  assert.equal(module?.name, 'sample');
  assert.deepEqual(module.ranges, [{ base: 0xffff_ffff_c000_1000n, size: 4096n }]);
  assert.deepEqual(
    [...module.sections],
    [
      ['.text', 0xffff_ffff_c000_1000n],
      ['.init.text', 0xffff_ffff_c000_9000n],
    ],
  );
});

test('sections without an end are none', async () => {
  assert.deepEqual(await modulesWith('[0 ... 999] = &sections.attrs[0]'), []);
});
