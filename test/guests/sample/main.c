/* The order in which the kernel comes up, and the loop it then stays in. */
#include "kernel.h"

void user_counter(void);
void user_walker(void);

volatile uint64_t main_loop_passes;

static const char banner[] = "\n"
                             "Ringside sample guest\n"
                             "=====================\n";

static void create_tasks(void)
{
    task_create("counter", user_counter, 0x5f0000);
    task_create("walker", user_walker, 0x600000);
}

static void handle_input(void)
{
    int character;

    while ((character = serial_read()) >= 0)
        run_command((char)character);
}

static void main_loop_pass(void)
{
    main_loop_passes++; //#MARKER main-loop
    hypervisor_yield();
    handle_input();
    if (main_loop_passes % TICKS_PER_SECOND == 0)
        showcase_visit(main_loop_passes / TICKS_PER_SECOND);
}

void kernel_main(void)
{
    serial_init(); //#MARKER kernel-main
    print("%s", banner);
    paging_init();
    cpu_init(&cpus[0], 0);
    interrupts_init();
    pic_init();
    lapic_init();
    scheduler_init();
    timer_init();
    ioapic_route(IRQ_SERIAL1, VECTOR_IOAPIC + IRQ_SERIAL1);
    hypervisor_init();
    create_tasks();
    showcase_visit(0);
    enable_interrupts();
    start_other_cpus();
    print("ready: type ? for help\n"); //#MARKER ready
    for (;;) {
        wait_for_interrupt();
        main_loop_pass();
    }
}
