/*
 * Talking to the hypervisor by Xen's convention: look for it in CPUID, let it fill the hypercall page, call its 32-byte
 * entries. Without such a hypervisor the kernel runs on all the same.
 */
#include "kernel.h"

#define CPUID_HYPERVISOR_BIT (1u << 31)
#define HYPERCALL_ENTRY_SIZE 32

enum xen_hypercall { XEN_VERSION = 17, XEN_CONSOLE_IO = 18, XEN_SCHED_OP = 29 };
enum { XENVER_VERSION = 0, CONSOLEIO_WRITE = 0, SCHEDOP_YIELD = 0 };

uint8_t hypercall_page[4096] __attribute__((section(".hypercall_page"), aligned(4096))) = { 0xc3 };

struct hypervisor hypervisor;

static int64_t hypercall(enum xen_hypercall number, uint64_t first, uint64_t second, uint64_t third)
{
    int64_t result;
    const uint8_t *entry = hypercall_page + number * HYPERCALL_ENTRY_SIZE;

    hypervisor.calls++;
    __asm__ volatile("call *%[entry]" //#MARKER hypercall
                     : "=a"(result), "+D"(first), "+S"(second), "+d"(third)
                     : [entry] "r"(entry)
                     : "rcx", "r8", "r9", "r10", "r11", "memory");
    return result;
}

static void read_signature(uint32_t leaf, char signature[13])
{
    struct cpuid id = cpuid(leaf);
    uint32_t words[3] = { id.ebx, id.ecx, id.edx };

    for (unsigned index = 0; index < 12; index++)
        signature[index] = (char)(words[index / 4] >> 8 * (index % 4));
    signature[12] = 0;
}

static bool same_text(const char *left, const char *right)
{
    while (*left && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

/** The first of the hypervisor leaves that has Xen's signature, or 0. */
static uint32_t find_hypervisor(void)
{
    char signature[13];

    if (!(cpuid(1).ecx & CPUID_HYPERVISOR_BIT))
        return 0;
    read_signature(0x40000000, hypervisor.signature);
    for (uint32_t leaf = 0x40000000; leaf < 0x40010000; leaf += 0x100) {
        read_signature(leaf, signature);
        if (same_text(signature, "XenVMMXenVMM"))
            return leaf; //#MARKER hypervisor-found
    }
    return 0;
}

static void install_hypercall_page(void)
{
    uint32_t msr = cpuid(hypervisor.base_leaf + 2).ebx;

    write_msr(msr, (uint64_t)hypercall_page - KERNEL_BASE); //#MARKER hypercall-page
}

void hypervisor_init(void)
{
    hypervisor.base_leaf = find_hypervisor();
    if (!hypervisor.base_leaf) {
        print("hypervisor: none with hypercalls (%s)\n", hypervisor.signature);
        return;
    }
    install_hypercall_page();
    hypervisor.present = true;
    hypervisor.version = (uint32_t)hypercall(XEN_VERSION, XENVER_VERSION, 0, 0);
    print("hypervisor: %s %u.%u\n", hypervisor.signature, hypervisor.version >> 16, hypervisor.version & 0xffff);
    hypervisor_write("hello from the sample guest\n");
}

void hypervisor_write(const char *text)
{
    uint64_t length = 0;

    while (text[length])
        length++;
    if (hypervisor.present)
        hypercall(XEN_CONSOLE_IO, CONSOLEIO_WRITE, length, (uint64_t)text);
}

void hypervisor_yield(void)
{
    if (hypervisor.present)
        hypercall(XEN_SCHED_OP, SCHEDOP_YIELD, 0, 0);
}
