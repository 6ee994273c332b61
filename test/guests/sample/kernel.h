/* Everything the files of the sample kernel share. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instructions.h"
#include "layout.h"

#define KERNEL_BASE 0xffffffff80000000ul
#define PAGE_SIZE 4096ul
/** I/O APIC and local APIC, one page each. */
#define DEVICE_BASE 0xffffffffc0000000ul
#define LARGE_PAGE_SIZE (512 * PAGE_SIZE)
#define TICKS_PER_SECOND 100

/* ---- lists ---- */

struct list_node {
    struct list_node *next;
    struct list_node *previous;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

void list_init(struct list_node *head);
void list_insert(struct list_node *head, struct list_node *node);
void list_remove(struct list_node *node);
unsigned list_length(const struct list_node *head);

/* ---- console ---- */

void serial_init(void);
void serial_interrupt(void);
/** A typed character, or -1. */
int serial_read(void);
/** Understands %s %c %d %u %x %lx %% and a width with leading zeros. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Says why the kernel cannot go on, and halts. */
void panic(const char *reason) __attribute__((noreturn));

/* ---- interrupts ---- */

/** What the stubs of entry.S save; the last five are what the processor pushes. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

enum vector {
    VECTOR_BREAKPOINT = 3,
    VECTOR_INVALID_OPCODE = 6,
    VECTOR_PAGE_FAULT = 14,
    VECTOR_PIC = 0x20,
    VECTOR_IOAPIC = 0x30,
    VECTOR_LAPIC_TIMER = 0x40,
    VECTOR_LAPIC_ERROR = 0xfe,
    VECTOR_LAPIC_SPURIOUS = 0xff,
};

enum irq_line { IRQ_TIMER = 0, IRQ_SERIAL1 = 4 };

typedef struct trap_frame *(*interrupt_handler)(struct trap_frame *frame);

/** What LGDT and LIDT take. */
struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

void interrupts_init(void);
void load_interrupt_table(void);
void set_interrupt_handler(enum vector vector, interrupt_handler handler);
void pic_init(void);
void pic_end_of_interrupt(enum irq_line line);
void pit_init(unsigned frequency);
void lapic_init(void);
void lapic_end_of_interrupt(void);
uint32_t lapic_id(void);
void lapic_start_others(uint8_t page);
void ioapic_route(enum irq_line line, enum vector vector);

extern volatile uint64_t ticks;
void timer_init(void);
void wait_ticks(unsigned count);

/* ---- memory ---- */

struct frame_allocator {
    uint64_t first;
    unsigned total;
    unsigned used;
    uint64_t bitmap[8];
};

extern struct frame_allocator frames;

/** Physical address of a zeroed page. */
uint64_t allocate_frame(void);
void release_frame(uint64_t physical);
void *physical_to_virtual(uint64_t physical);

void paging_init(void);
/** Switches this processor from the boot page tables to the kernel's. */
void load_page_tables(void);
void map_page(uint64_t virtual_address, uint64_t physical, uint64_t flags);
/** Gives the page's frame back; nothing happens where nothing is mapped. */
void unmap_page(uint64_t virtual_address);
struct trap_frame *handle_page_fault(struct trap_frame *frame);

#define DEMAND_START 0x800000ul
#define DEMAND_PAGES 8
#define DEMAND_END (DEMAND_START + DEMAND_PAGES * PAGE_SIZE)

/* ---- processors ---- */

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));

struct cpu {
    struct cpu *self;
    unsigned index;
    uint32_t apic_id;
    volatile bool online;
    volatile uint64_t timer_interrupts;
    struct task *current;
    struct tss tss;
};

extern struct cpu cpus[MAX_CPUS];
extern uint8_t cpu_stacks[MAX_CPUS][KERNEL_STACK_SIZE];
extern volatile unsigned cpus_started;

struct cpu *this_cpu(void);
void cpu_init(struct cpu *cpu, unsigned index);
void start_other_cpus(void);

/* ---- tasks ---- */

enum task_state { TASK_READY, TASK_RUNNING, TASK_SLEEPING, TASK_DEAD };

struct task_flags {
    unsigned user : 1;
    unsigned priority : 3;
    signed nice : 4;
    unsigned cpu_mask : 8;
};

struct task_times {
    uint64_t created;
    uint64_t wake_up;
    struct {
        uint32_t ticks;
        uint32_t switches;
    } used;
};

union task_result {
    uint64_t whole;
    struct {
        uint32_t code;
        uint32_t reason;
    } parts;
    uint8_t bytes[8];
};

struct task {
    char name[16];
    unsigned id;
    enum task_state state;
    struct task_flags flags;
    struct task_times times;
    union task_result result;
    struct trap_frame *frame;
    uint64_t kernel_stack_top;
    struct list_node link;
};

extern struct list_node task_list;

void scheduler_init(void);
struct task *task_create(const char *name, void (*entry)(void), uint64_t user_stack_top);
struct task *scheduler_pick(struct task *current);
struct trap_frame *schedule(struct trap_frame *frame);
struct trap_frame *handle_invalid_opcode(struct trap_frame *frame);

/* ---- the hypervisor ---- */

struct hypervisor {
    char signature[13];
    uint32_t base_leaf;
    uint32_t version;
    bool present;
    volatile uint64_t calls;
};

extern struct hypervisor hypervisor;

void hypervisor_init(void);
void hypervisor_write(const char *text);
void hypervisor_yield(void);

/* ---- the rest ---- */

void showcase_visit(unsigned pass);
void run_command(char command);

#endif
