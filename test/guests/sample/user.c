/* Two tasks at CPL3. This file is linked at 4 MiB; nothing here can call into the kernel but by a system call. */
#include <stdint.h>

#include "system_call.h"

#define PAGE 4096

struct user_counters {
    uint64_t passes;
    uint64_t sum;
    uint32_t history[8];
};

struct user_counters user_counters;
volatile uint64_t pages_touched;

static uint64_t system_call(enum system_call number, uint64_t first, uint64_t second)
{
    uint64_t result;

    __asm__ volatile("ud2" : "=a"(result) : "a"(number), "D"(first), "S"(second) : "memory"); //#MARKER user-system-call
    return result;
}

static uint64_t __attribute__((noinline)) fibonacci(unsigned n)
{
    if (n < 2)
        return n; //#MARKER fibonacci-end
    return fibonacci(n - 1) + fibonacci(n - 2);
}

/** Counts, and leaves what it found in the kernel's task record. */
void user_counter(void)
{
    for (;;) {
        uint32_t value = (uint32_t)fibonacci(user_counters.passes % 8);

        user_counters.history[user_counters.passes % 8] = value; //#MARKER user-counter
        user_counters.sum += value;
        user_counters.passes++;
        system_call(SYSTEM_CALL_RESULT, value, user_counters.passes);
        system_call(SYSTEM_CALL_SLEEP, 10, 0);
    }
}

/** Walks over pages that are not there until they are touched, and gives them all back at the end. */
void user_walker(void)
{
    volatile uint64_t *const pages = (uint64_t *)0x800000;

    for (;;) {
        for (unsigned page = 0; page < 8; page++) {
            pages[page * PAGE / sizeof *pages] = pages_touched; //#MARKER user-walker
            pages_touched++;
            system_call(SYSTEM_CALL_SLEEP, 20, 0);
        }
        system_call(SYSTEM_CALL_RELEASE, 0, 0);
    }
}
