/* The interrupt descriptor table, and the way from a vector to its handler. */
#include "kernel.h"

struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist : 3;
    uint8_t reserved0 : 5;
    uint8_t type : 4;
    uint8_t reserved1 : 1;
    uint8_t dpl : 2;
    uint8_t present : 1;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved2;
};

struct interrupt_stub {
    uint64_t vector;
    uint64_t address;
};

#define INTERRUPT_GATE 14
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8

extern const struct interrupt_stub interrupt_stubs[], interrupt_stubs_end[];

struct idt_gate idt[256];
volatile uint64_t interrupt_counts[256];

static interrupt_handler interrupt_handlers[256];

static const char *const exception_names[32] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode", "device not available",
    "double fault", "coprocessor overrun", "invalid TSS", "segment not present", "stack fault", "general protection",
    "page fault", "reserved 15", "x87 error", "alignment check", "machine check", "SIMD error", "virtualization",
    "control protection", "reserved 22", "reserved 23", "reserved 24", "reserved 25", "reserved 26", "reserved 27",
    "hypervisor injection", "VMM communication", "security", "reserved 31",
};

static void set_gate(uint64_t vector, uint64_t address, uint8_t ist)
{
    idt[vector] = (struct idt_gate){
        .offset_low = (uint16_t)address,
        .offset_middle = (uint16_t)(address >> 16),
        .offset_high = (uint32_t)(address >> 32),
        .selector = KERNEL_CODE,
        .ist = ist,
        .type = INTERRUPT_GATE,
        .present = 1,
    };
}

void set_interrupt_handler(enum vector vector, interrupt_handler handler)
{
    interrupt_handlers[vector] = handler;
}

static struct trap_frame *unexpected_interrupt(struct trap_frame *frame)
{
    if (frame->vector >= 32)
        return frame;
    print("%s: error %lx, rip %lx, rsp %lx\n", exception_names[frame->vector], frame->error_code, frame->rip,
          frame->rsp);
    panic("exception that nobody handles");
}

static struct trap_frame *handle_breakpoint(struct trap_frame *frame)
{
    print("breakpoint: rip %lx\n", frame->rip);
    return frame;
}

/** All vectors come through here; the frame that is returned is the one that goes on. */
struct trap_frame *interrupt_dispatch(struct trap_frame *frame)
{
    interrupt_handler handler = interrupt_handlers[frame->vector];

    interrupt_counts[frame->vector]++; //#MARKER interrupt-dispatch
    return handler ? handler(frame) : unexpected_interrupt(frame);
}

void interrupts_init(void)
{
    for (const struct interrupt_stub *stub = interrupt_stubs; stub < interrupt_stubs_end; stub++) {
        uint8_t ist = stub->vector == VECTOR_DOUBLE_FAULT ? 1 : stub->vector == VECTOR_NMI ? 2 : 0;

        set_gate(stub->vector, stub->address, ist);
    }
    set_interrupt_handler(VECTOR_BREAKPOINT, handle_breakpoint);
    set_interrupt_handler(VECTOR_INVALID_OPCODE, handle_invalid_opcode);
    set_interrupt_handler(VECTOR_PAGE_FAULT, handle_page_fault);
}

void load_interrupt_table(void)
{
    struct descriptor_pointer pointer = { sizeof idt - 1, (uint64_t)idt };

    __asm__ volatile("lidt %0" : : "m"(pointer));
}
