/*
 * System calls. They come by `ud2`, an invalid opcode, and not by SYSCALL or a software interrupt: the guest has to run
 * on every KVM, and one kind (KVM-PVM, which needs no hardware virtualization) delivers neither of the two from CPL3
 * as hardware does, but an invalid opcode like any other exception.
 */
#include "system_call.h"
#include "kernel.h"

#define UD2_LENGTH 2

static uint64_t release_demand_pages(void)
{
    unsigned before = frames.used;

    for (uint64_t address = DEMAND_START; address < DEMAND_END; address += PAGE_SIZE)
        unmap_page(address);
    return before - frames.used; //#MARKER pages-released
}

static struct trap_frame *system_call(struct trap_frame *frame)
{
    struct task *task = this_cpu()->current;

    switch ((enum system_call)frame->rax) { //#MARKER system-call
    case SYSTEM_CALL_SLEEP:
        task->times.wake_up = ticks + frame->rdi;
        task->state = TASK_SLEEPING;
        frame->rax = 0;
        return schedule(frame);
    case SYSTEM_CALL_RELEASE:
        frame->rax = release_demand_pages();
        return frame;
    case SYSTEM_CALL_RESULT:
        task->result.parts.code = (uint32_t)frame->rdi;
        task->result.parts.reason = (uint32_t)frame->rsi;
        frame->rax = 0;
        return frame;
    }
    frame->rax = (uint64_t)-38; /* -ENOSYS */
    return frame;
}

struct trap_frame *handle_invalid_opcode(struct trap_frame *frame)
{
    const uint8_t *instruction = (const uint8_t *)frame->rip;
    bool from_user = frame->cs & 3;

    if (from_user && instruction[0] == 0x0f && instruction[1] == 0x0b) {
        frame->rip += UD2_LENGTH;
        return system_call(frame);
    }
    print("invalid opcode: rip %lx\n", frame->rip);
    panic("instruction that this processor does not have");
}
