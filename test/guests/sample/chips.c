/* The interrupt controllers and the timer chip: 8259A pair, 8254, I/O APIC, local APIC. */
#include "kernel.h"

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIT_FREQUENCY 1193182

#define MSR_APIC_BASE 0x1b

enum lapic_register {
    LAPIC_ID = 0x20,
    LAPIC_TASK_PRIORITY = 0x80,
    LAPIC_END_OF_INTERRUPT = 0xb0,
    LAPIC_SPURIOUS = 0xf0,
    LAPIC_COMMAND = 0x300,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_DIVIDE = 0x3e0,
};

enum {
    LVT_EXTINT = 0x700,
    LVT_NMI = 0x400,
    LVT_MASKED = 0x10000,
    LVT_PERIODIC = 0x20000,
    ICR_INIT_OTHERS = 0xc4500,
    ICR_STARTUP_OTHERS = 0xc4600,
};

static volatile uint32_t *const ioapic = (void *)DEVICE_BASE;
static volatile uint32_t *const lapic = (void *)(DEVICE_BASE + PAGE_SIZE);

static void lapic_write(enum lapic_register index, uint32_t value)
{
    lapic[index / 4] = value;
}

/** Vectors 0x20 to 0x2f; only the timer is let through, the rest comes by the I/O APIC. */
void pic_init(void)
{
    out8(PIC_MASTER, 0x11);
    out8(PIC_SLAVE, 0x11);
    out8(PIC_MASTER + 1, VECTOR_PIC);
    out8(PIC_SLAVE + 1, VECTOR_PIC + 8);
    out8(PIC_MASTER + 1, 0x04);
    out8(PIC_SLAVE + 1, 0x02);
    out8(PIC_MASTER + 1, 0x01);
    out8(PIC_SLAVE + 1, 0x01);
    out8(PIC_MASTER + 1, (uint8_t) ~(1 << IRQ_TIMER));
    out8(PIC_SLAVE + 1, 0xff);
}

void pic_end_of_interrupt(enum irq_line line)
{
    if (line >= 8)
        out8(PIC_SLAVE, 0x20);
    out8(PIC_MASTER, 0x20);
}

/** Channel 0 as a rate generator (mode 2). */
void pit_init(unsigned frequency)
{
    uint16_t reload = (uint16_t)(PIT_FREQUENCY / frequency);

    out8(0x43, 0x34);
    out8(0x40, (uint8_t)reload);
    out8(0x40, (uint8_t)(reload >> 8));
}

uint32_t lapic_id(void)
{
    return lapic[LAPIC_ID / 4] >> 24;
}

void lapic_end_of_interrupt(void)
{
    lapic_write(LAPIC_END_OF_INTERRUPT, 0);
}

static struct trap_frame *handle_lapic_timer(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();

    cpu->timer_interrupts++; //#MARKER lapic-timer
    lapic_end_of_interrupt();
    return frame;
}

/** The first processor also takes the 8259A's interrupts, through LINT0. */
void lapic_init(void)
{
    struct cpu *cpu = this_cpu();

    set_interrupt_handler(VECTOR_LAPIC_TIMER, handle_lapic_timer);
    write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | 1 << 11);
    cpu->apic_id = lapic_id();
    lapic_write(LAPIC_TASK_PRIORITY, 0);
    /* Enabled first: while it is not, every entry of the vector table is kept masked. */
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_LAPIC_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, cpu->index == 0 ? LVT_EXTINT : LVT_EXTINT | LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_LVT_ERROR, VECTOR_LAPIC_ERROR);
    lapic_write(LAPIC_TIMER_DIVIDE, 3); /* by 16 */
    lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | VECTOR_LAPIC_TIMER);
    lapic_write(LAPIC_TIMER_INITIAL, 6250000); //#MARKER lapic-init
}

/** INIT, 10 ms, then the start-up IPI twice, as Intel SDM vol. 3A 9.4.4.1 has it. */
void lapic_start_others(uint8_t page)
{
    lapic_write(LAPIC_COMMAND, ICR_INIT_OTHERS);
    wait_ticks(2);
    lapic_write(LAPIC_COMMAND, ICR_STARTUP_OTHERS | page);
    wait_ticks(1);
    lapic_write(LAPIC_COMMAND, ICR_STARTUP_OTHERS | page);
}

/** Edge-triggered, active high, to the first processor. */
void ioapic_route(enum irq_line line, enum vector vector)
{
    ioapic[0] = 0x10 + 2 * line + 1;
    ioapic[4] = cpus[0].apic_id << 24;
    ioapic[0] = 0x10 + 2 * line;
    ioapic[4] = vector;
}
