/* What the keys of the console do. */
#include "kernel.h"

#define DEBUG_EXIT_PORT 0xf4
#define POWER_PORT 0x604
#define POWER_OFF 0x2000

struct command {
    char key;
    const char *help;
    void (*run)(void);
};

static void show_help(void);

static void debug_exit(void)
{
    print("leaving by the debug-exit port\n");
    out8(DEBUG_EXIT_PORT, 42); //#MARKER debug-exit
}

static void power_off(void)
{
    print("powering off\n");
    out16(POWER_PORT, POWER_OFF); //#MARKER power-off
}

static void reset(void)
{
    print("resetting\n");
    out8(0x64, 0xfe); //#MARKER reset
}

/** With no interrupt table left, an exception cannot be delivered, nor can the fault that follows from that. */
static void triple_fault(void)
{
    static const struct descriptor_pointer no_table = { 0, 0 };

    print("triple fault\n");
    __asm__ volatile("lidt %0" : : "m"(no_table));
    *(volatile char *)0xdead0000 = 1; //#MARKER triple-fault
}

/** An x87 instruction: harmless on hardware, unknown where supervisor code is interpreted. */
static void unusual_instruction(void)
{
    uint16_t status = 0;

    __asm__ volatile("fnstsw %0" : "=a"(status)); //#MARKER unusual-instruction
    print("x87 status %04x\n", status);
}

static void own_breakpoint(void)
{
    __asm__ volatile("int3"); //#MARKER own-breakpoint
    print("after the breakpoint\n");
}

static void page_fault_nobody_handles(void)
{
    *(volatile char *)0xdead0000 = 1; //#MARKER bad-write
}

static void hang(void)
{
    print("hanging with interrupts off\n");
    __asm__ volatile("cli");
    for (;;)
        relax(); //#MARKER hang
}

static void many_hypercalls(void)
{
    for (unsigned count = 0; count < 100; count++)
        hypervisor_yield();
    print("%lu hypercalls so far\n", hypervisor.calls);
}

static void show_tasks(void)
{
    for (struct list_node *node = task_list.next; node != &task_list; node = node->next) {
        struct task *task = container_of(node, struct task, link);

        print("task %u %s: state %d, %u ticks, result %lx\n", task->id, task->name, task->state,
              task->times.used.ticks, task->result.whole);
    }
}

static const struct command commands[] = {
    { '?', "help", show_help },
    { 'q', "leave with 42 by the debug-exit port", debug_exit },
    { 'p', "power off", power_off },
    { 'r', "reset", reset },
    { 't', "triple fault", triple_fault },
    { 'u', "x87 instruction in the kernel", unusual_instruction },
    { 'b', "int3 in the kernel", own_breakpoint },
    { 'f', "page fault that ends in panic", page_fault_nobody_handles },
    { 'h', "hang", hang },
    { 'c', "100 hypercalls", many_hypercalls },
    { 'l', "list tasks", show_tasks },
};

static void show_help(void)
{
    for (unsigned index = 0; index < sizeof commands / sizeof commands[0]; index++)
        print("  %c  %s\n", commands[index].key, commands[index].help);
}

/** Echoes what was typed and does what it stands for. */
void run_command(char character)
{
    print("> %c\n", character < ' ' ? ' ' : character); //#MARKER run-command
    for (unsigned index = 0; index < sizeof commands / sizeof commands[0]; index++) {
        if (commands[index].key == character)
            commands[index].run();
    }
}
