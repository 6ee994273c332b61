/* Physical pages from 2 MiB up, and the page tables of the kernel and its tasks. */
#include "kernel.h"

#define NO_EXECUTE (1ul << 63)
#define ADDRESS_MASK 0x000ffffffffff000ul
#define KERNEL_MEMORY (16ul << 20)
#define IOAPIC_PHYSICAL 0xfec00000ul
#define LAPIC_PHYSICAL 0xfee00000ul

extern char text_start[], text_end[], rodata_end[];
extern char user_text_load[], user_text_size[], user_data_load[], user_data_size[];

struct frame_allocator frames = { .first = LARGE_PAGE_SIZE, .total = 512 };

static uint64_t kernel_pml4;

void *physical_to_virtual(uint64_t physical)
{
    return (void *)(physical + KERNEL_BASE);
}

uint64_t allocate_frame(void)
{
    for (unsigned index = 0; index < frames.total; index++) {
        uint64_t *word = &frames.bitmap[index / 64];
        uint64_t bit = 1ul << index % 64;

        if (!(*word & bit)) {
            uint64_t physical = frames.first + index * PAGE_SIZE;
            uint64_t count = PAGE_SIZE / 8;
            void *page = physical_to_virtual(physical);

            *word |= bit;
            frames.used++;
            __asm__ volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0ul) : "memory");
            return physical; //#MARKER allocate-frame
        }
    }
    panic("no free page");
}

void release_frame(uint64_t physical)
{
    unsigned index = (physical - frames.first) / PAGE_SIZE;

    frames.bitmap[index / 64] &= ~(1ul << index % 64);
    frames.used--;
}

/** The entry of `virtual_address` in the table of `level` (1: 4 KiB, 2: 2 MiB pages); makes the tables above it. */
static uint64_t *page_table_entry(uint64_t virtual_address, int level)
{
    uint64_t table = kernel_pml4;

    for (int depth = 4;; depth--) {
        uint64_t *entries = physical_to_virtual(table);
        uint64_t *entry = &entries[virtual_address >> (12 + 9 * (depth - 1)) & 511];

        if (depth == level)
            return entry; //#MARKER page-table-entry
        if (!(*entry & PAGE_PRESENT))
            *entry = allocate_frame() | PAGE_PRESENT | PAGE_WRITE | (virtual_address < KERNEL_BASE ? PAGE_USER : 0);
        table = *entry & ADDRESS_MASK;
    }
}

void map_page(uint64_t virtual_address, uint64_t physical, uint64_t flags)
{
    *page_table_entry(virtual_address, 1) = physical | flags | PAGE_PRESENT;
    invalidate_page(virtual_address); //#MARKER map-page
}

void unmap_page(uint64_t virtual_address)
{
    uint64_t *entry = page_table_entry(virtual_address, 1);
    uint64_t physical = *entry & ADDRESS_MASK;

    if (!(*entry & PAGE_PRESENT))
        return;
    *entry = 0;
    invalidate_page(virtual_address);
    release_frame(physical);
}

/** What the first 2 MiB may be used for: code is not written, data is not executed. */
static uint64_t kernel_page_flags(uint64_t virtual_address)
{
    if (virtual_address >= (uint64_t)text_start && virtual_address < (uint64_t)text_end)
        return PAGE_GLOBAL;
    if (virtual_address >= (uint64_t)text_end && virtual_address < (uint64_t)rodata_end)
        return PAGE_GLOBAL | NO_EXECUTE;
    return PAGE_GLOBAL | PAGE_WRITE | NO_EXECUTE;
}

static void map_kernel(void)
{
    uint64_t *table = physical_to_virtual(*page_table_entry(KERNEL_BASE, 2) & ADDRESS_MASK);

    for (uint64_t physical = 0; physical < LARGE_PAGE_SIZE; physical += PAGE_SIZE)
        table[physical / PAGE_SIZE] = physical | kernel_page_flags(KERNEL_BASE + physical) | PAGE_PRESENT;
    for (uint64_t physical = LARGE_PAGE_SIZE; physical < KERNEL_MEMORY; physical += LARGE_PAGE_SIZE)
        *page_table_entry(KERNEL_BASE + physical, 2) =
            physical | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE | PAGE_GLOBAL | NO_EXECUTE;
}

static void map_range(uint64_t virtual_address, uint64_t physical, uint64_t size, uint64_t flags)
{
    for (uint64_t offset = 0; offset < size; offset += PAGE_SIZE)
        map_page(virtual_address + offset, physical + offset, flags);
}

static void map_user(void)
{
    map_range(0x400000, (uint64_t)user_text_load, (uint64_t)user_text_size, PAGE_USER);
    map_range(0x410000, (uint64_t)user_data_load, (uint64_t)user_data_size, PAGE_USER | PAGE_WRITE | NO_EXECUTE);
}

void paging_init(void)
{
    kernel_pml4 = allocate_frame(); //#MARKER paging-init
    map_page(KERNEL_BASE, 0, 0);
    map_kernel();
    map_page(DEVICE_BASE, IOAPIC_PHYSICAL, PAGE_WRITE | PAGE_CACHE_DISABLE | NO_EXECUTE);
    map_page(DEVICE_BASE + PAGE_SIZE, LAPIC_PHYSICAL, PAGE_WRITE | PAGE_CACHE_DISABLE | NO_EXECUTE);
    map_user();
    load_page_tables();
    print("paging: %u page tables, kernel at %lx\n", frames.used, KERNEL_BASE);
}

void load_page_tables(void)
{
    write_cr3(kernel_pml4);
    write_cr4(read_cr4() | CR4_PGE);
}

static bool is_demand_address(uint64_t address)
{
    return address >= DEMAND_START && address < DEMAND_END;
}

struct trap_frame *handle_page_fault(struct trap_frame *frame)
{
    uint64_t address = read_cr2();
    bool present = frame->error_code & 1;

    if (!present && is_demand_address(address)) {
        map_page(address & ~(PAGE_SIZE - 1), allocate_frame(), PAGE_USER | PAGE_WRITE | NO_EXECUTE); //#MARKER demand-page
        return frame;
    }
    print("page fault at %lx, error %lx, rip %lx\n", address, frame->error_code, frame->rip);
    panic("page fault that nobody handles");
}
