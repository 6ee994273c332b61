/* Time: the tick counter, and what each tick does. */
#include "kernel.h"

volatile uint64_t ticks;

/** Wakes tasks whose time has come; returns how many. */
static unsigned wake_sleepers(uint64_t now)
{
    unsigned woken = 0;

    for (struct list_node *node = task_list.next; node != &task_list; node = node->next) {
        struct task *task = container_of(node, struct task, link);

        if (task->state == TASK_SLEEPING && task->times.wake_up <= now) {
            task->state = TASK_READY; //#MARKER wake-sleeper
            woken++;
        }
    }
    return woken;
}

static void timer_tick(void)
{
    static uint64_t seconds;
    struct task *current = this_cpu()->current;

    ticks++; //#MARKER timer-tick
    current->times.used.ticks++;
    if (ticks % TICKS_PER_SECOND == 0)
        seconds++;
    wake_sleepers(ticks);
}

static struct trap_frame *handle_timer(struct trap_frame *frame)
{
    timer_tick();
    pic_end_of_interrupt(IRQ_TIMER);
    return schedule(frame);
}

static struct trap_frame *handle_serial(struct trap_frame *frame)
{
    serial_interrupt();
    lapic_end_of_interrupt();
    return frame;
}

void timer_init(void)
{
    set_interrupt_handler(VECTOR_PIC + IRQ_TIMER, handle_timer);
    set_interrupt_handler(VECTOR_IOAPIC + IRQ_SERIAL1, handle_serial);
    pit_init(TICKS_PER_SECOND);
}

void wait_ticks(unsigned count)
{
    uint64_t until = ticks + count;

    while (ticks < until)
        wait_for_interrupt();
}
