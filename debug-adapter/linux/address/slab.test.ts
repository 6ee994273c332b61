import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withKernel } from '../built-kernel.ts';
import { pageAt, pageFlags } from './page.ts';
import { slabObject } from './slab.ts';

/**
 * What Linux 7.3 has of a slab of two pages with eight objects of 1024 bytes: `INFO` leads from the second page to
 * the first. Three objects are in use, one is in the slab's own list, one in each of the three sheaves of a CPU, one in a barn.
 */
const source = `
typedef struct { unsigned long f; } memdesc_flags_t;
enum pageflags { PG_locked, PG_head, __NR_PAGEFLAGS };
enum pagetype { PGTY_slab = 0xf5 };
struct page { memdesc_flags_t flags; unsigned long compound_info; unsigned long room[4]; unsigned page_type; int count[3]; };
struct freelist_counters { void *freelist; unsigned long counters; };
struct slab { memdesc_flags_t flags; struct kmem_cache *slab_cache; unsigned long list[2]; struct freelist_counters; };
struct slab_sheaf { union { struct list_head barn_list; unsigned capacity; }; void *cache; unsigned size; int node; void *objects[4]; };
struct node_barn { int lock; struct list_head sheaves_full, sheaves_empty; };
struct slub_percpu_sheaves { struct slab_sheaf *main, *spare, *rcu_free; };
struct kmem_cache {
  struct slub_percpu_sheaves *cpu_sheaves; unsigned size, object_size, offset; const char *name;
  struct { struct node_barn *barn; void *node; } per_node[1];
};
char ram[4 * 4096] __attribute__((aligned(4096)));
#define OBJECT(n) (ram + 1024 * (n))
extern struct node_barn barn;
struct slab_sheaf main_sheaf = { .size = 1, .objects = { OBJECT(2), OBJECT(0) } };
struct slab_sheaf spare = { .size = 1, .objects = { OBJECT(3) } };
struct slab_sheaf freed = { .size = 1, .objects = { OBJECT(4) } };
struct slab_sheaf full = { .barn_list = { &barn.sheaves_full, &barn.sheaves_full }, .size = 1, .objects = { OBJECT(5) } };
struct node_barn barn = { 0, { &full.barn_list, &full.barn_list }, { &barn.sheaves_empty, &barn.sheaves_empty } };
struct slub_percpu_sheaves own = { &main_sheaf, &spare, &freed };
struct kmem_cache cache = { &own, 1024, 1000, 8, "things", { { &barn } } };
union { struct page pages[4]; struct slab slab; } all __attribute__((aligned(4096))) = { {
  { .flags = { 1 << PG_head }, .compound_info = (unsigned long)&cache, .page_type = PGTY_slab << 24,
    .room = { 0, 0, (unsigned long)OBJECT(1) } },
  { .compound_info = INFO },
} };
unsigned long page_offset_base = (unsigned long)ram, vmemmap_base = (unsigned long)&all, max_pfn = 4;
`;

/** Those of the objects that are free, by number. */
const free = (info: string) =>
  withKernel(
    source,
    async (kernel) => {
      const found = [];
      for (let n = 0; n < 8; n++) {
        const address = kernel.address('ram') + BigInt(1024 * n + 100);
        const page = (await pageAt(kernel, address)) ?? assert.fail();
        assert.deepEqual(await pageFlags(page), ['head']);
        const object = (await slabObject(page, address)) ?? assert.fail();
        assert.deepEqual([object.cache, object.size, object.address], ['things', 1000, address - 100n]);
        if (!object.allocated) found.push(n);
      }
      return found;
    },
    { INFO: info },
  );

describe('objects of a slab allocator with sheaves', () => {
  test('where pages point to the first one', async () => {
    assert.deepEqual(await free('(unsigned long)&all+1'), [1, 2, 3, 4, 5]);
  });
  test('where pages have a mask for it', async () => {
    assert.deepEqual(await free('-128UL|1'), [1, 2, 3, 4, 5]);
  });
});
