/* What every processor needs of its own: descriptor tables, a task state segment, a stack; and how to start the others. */
#include "kernel.h"

#define MSR_GS_BASE 0xc0000101
#define FIXED_DESCRIPTORS (FIRST_TSS / 8)

struct cpu cpus[MAX_CPUS];
uint8_t cpu_stacks[MAX_CPUS][KERNEL_STACK_SIZE] __attribute__((aligned(16)));
volatile unsigned cpus_started = 1;

extern char trampoline_load[], trampoline_size[];

static uint8_t fault_stacks[MAX_CPUS][2][1024] __attribute__((aligned(16)));

static uint64_t gdt[FIXED_DESCRIPTORS + 2 * MAX_CPUS] = {
    0,
    0x00af9b000000ffff, /* KERNEL_CODE */
    0x00cf93000000ffff, /* KERNEL_DATA */
    0x00cff3000000ffff, /* USER_DATA */
    0x00affb000000ffff, /* USER_CODE */
};

struct cpu *this_cpu(void)
{
    struct cpu *cpu;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

static void set_tss_descriptor(unsigned index, const struct tss *tss)
{
    uint64_t base = (uint64_t)tss;
    uint64_t limit = sizeof *tss - 1;
    uint64_t *descriptor = &gdt[FIXED_DESCRIPTORS + 2 * index];

    descriptor[0] = limit | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
}

static void load_descriptor_tables(unsigned index)
{
    struct descriptor_pointer gdt_pointer = { sizeof gdt - 1, (uint64_t)gdt };

    __asm__ volatile("lgdt %0" : : "m"(gdt_pointer));
    load_interrupt_table();
    __asm__ volatile("ltr %w0" : : "r"(FIRST_TSS + 16 * index));
}

void cpu_init(struct cpu *cpu, unsigned index)
{
    cpu->self = cpu; //#MARKER cpu-init
    cpu->index = index;
    cpu->tss.rsp[0] = (uint64_t)cpu_stacks[index] + KERNEL_STACK_SIZE;
    cpu->tss.ist[0] = (uint64_t)fault_stacks[index][0] + sizeof fault_stacks[index][0];
    cpu->tss.ist[1] = (uint64_t)fault_stacks[index][1] + sizeof fault_stacks[index][1];
    cpu->tss.io_map_base = sizeof cpu->tss;
    set_tss_descriptor(index, &cpu->tss);
    load_descriptor_tables(index);
    write_msr(MSR_GS_BASE, (uint64_t)cpu);
    cpu->online = true;
}

/** The other processors sleep; only their own local APIC timers wake them. */
void secondary_main(unsigned index)
{
    struct cpu *cpu = &cpus[index];

    load_page_tables();
    cpu_init(cpu, index); //#MARKER secondary-main
    lapic_init();
    print("cpu %u: online, APIC id %u\n", cpu->index, cpu->apic_id);
    for (;;)
        wait_for_interrupt();
}

/** Copies the start code below 1 MiB and wakes every other processor there is; they come up on their own. */
void start_other_cpus(void)
{
    const char *from = physical_to_virtual((uint64_t)trampoline_load);
    char *to = physical_to_virtual(TRAMPOLINE);

    for (uint64_t offset = 0; offset < (uint64_t)trampoline_size; offset++)
        to[offset] = from[offset];
    lapic_start_others(TRAMPOLINE / PAGE_SIZE); //#MARKER start-other-cpus
}
