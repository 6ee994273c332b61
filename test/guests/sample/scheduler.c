/* Tasks, and which of them runs: round robin at each tick, on the first processor only. */
#include "kernel.h"

#define MAX_TASKS 4

struct list_node task_list;

static struct task tasks[MAX_TASKS];
static uint8_t task_stacks[MAX_TASKS][KERNEL_STACK_SIZE] __attribute__((aligned(16)));
static unsigned tasks_made;

static struct task *task_allocate(const char *name)
{
    unsigned id = tasks_made++;
    struct task *task = &tasks[id];

    for (unsigned index = 0; name[index] && index < sizeof task->name - 1; index++)
        task->name[index] = name[index];
    task->id = id;
    task->flags.cpu_mask = 0x01;
    task->flags.priority = 4;
    task->flags.nice = -(int)id;
    task->times.created = ticks;
    task->kernel_stack_top = (uint64_t)task_stacks[id] + KERNEL_STACK_SIZE;
    list_insert(&task_list, &task->link); //#MARKER task-allocated
    return task;
}

/** The code that runs now becomes the first task, at CPL0. */
void scheduler_init(void)
{
    struct task *kernel;

    list_init(&task_list);
    kernel = task_allocate("kernel");
    kernel->state = TASK_RUNNING;
    this_cpu()->current = kernel;
}

/** A task at CPL3: its first frame stands on its kernel stack as if it had been interrupted before its first instruction. */
struct task *task_create(const char *name, void (*entry)(void), uint64_t user_stack_top)
{
    struct task *task = task_allocate(name);
    struct trap_frame *frame = (struct trap_frame *)task->kernel_stack_top - 1;

    map_page(user_stack_top - PAGE_SIZE, allocate_frame(), PAGE_USER | PAGE_WRITE);
    frame->rip = (uint64_t)entry;
    frame->cs = USER_CODE;
    frame->rflags = 0x202;
    frame->rsp = user_stack_top - 8;
    frame->ss = USER_DATA;
    task->frame = frame; //#MARKER task-created
    task->flags.user = 1;
    return task;
}

/** The next task in the ring that can run; the kernel's own always can. */
struct task *scheduler_pick(struct task *current)
{
    struct list_node *node = current->link.next;

    for (;; node = node->next) {
        struct task *candidate = container_of(node, struct task, link);

        if (node == &task_list)
            continue;
        if (candidate->state == TASK_READY || candidate == current)
            return candidate; //#MARKER scheduler-pick
    }
}

/** Leaves the current task in `frame` and returns the frame of the task that goes on. */
struct trap_frame *schedule(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    struct task *previous = cpu->current;
    struct task *next = scheduler_pick(previous);

    if (next == previous)
        return frame;
    previous->frame = frame;
    if (previous->state == TASK_RUNNING)
        previous->state = TASK_READY;
    next->state = TASK_RUNNING; //#MARKER switch-task
    next->times.used.switches++;
    cpu->current = next;
    cpu->tss.rsp[0] = next->kernel_stack_top;
    return next->frame;
}
