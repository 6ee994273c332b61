import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withKernel } from './built-kernel.ts';
import { readPlacedModules } from './modules.ts';

/** What Linux 6.14 and later ones have of a module with two sections; `LINKS` are the elements of the group's array. */
const source = `
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

const modulesWith = (links: string) =>
  withKernel(source, (kernel) => readPlacedModules(kernel, () => true), { LINKS: links });

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

test('a module with sections without end is none', async () => {
  assert.deepEqual(await modulesWith('[0 ... 999] = &sections.attrs[0]'), []);
});
