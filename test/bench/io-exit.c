/* The reference for the I/O exit bench: the least a C program must do to run the guest's loop.
 *   io-exit ROUNDS    prints the microseconds that it took
 * Flat 32-bit protected mode: it needs no tables in memory. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

static int check(const char *doing, int result)
{
    if (result >= 0)
        return result;
    perror(doing);
    exit(1);
}

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
    uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000;
    uint8_t code[] = {0xb9, 0, 0, 0, 0, /* mov ecx, rounds */
                      0xe6, 0x80,       /* out 0x80, al */
                      0xff, 0xc9,       /* dec ecx */
                      0x75, 0xfa,       /* jnz to the out */
                      0xe6, 0xf4};      /* out 0xf4, al */
    memcpy(code + 1, &rounds, sizeof rounds);

    int kvm = check("open /dev/kvm", open("/dev/kvm", O_RDWR | O_CLOEXEC));
    int vm = check("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
    check("KVM_SET_TSS_ADDR", ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000));
    check("KVM_CREATE_IRQCHIP", ioctl(vm, KVM_CREATE_IRQCHIP, 0));
    uint8_t *ram = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region slot = {.memory_size = 1 << 20, .userspace_addr = (uintptr_t)ram};
    check("KVM_SET_USER_MEMORY_REGION", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
    memcpy(ram + 0x8000, code, sizeof code);

    int vcpu = check("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
    size_t size = check("KVM_GET_VCPU_MMAP_SIZE", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
    struct kvm_run *run = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    struct kvm_sregs sregs;
    check("KVM_GET_SREGS", ioctl(vcpu, KVM_GET_SREGS, &sregs));
    struct kvm_segment flat = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
    sregs.cs = flat;
    flat.selector = 16;
    flat.type = 3;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat;
    sregs.cr0 |= 1;
    check("KVM_SET_SREGS", ioctl(vcpu, KVM_SET_SREGS, &sregs));
    struct kvm_regs regs = {.rip = 0x8000, .rflags = 2};
    check("KVM_SET_REGS", ioctl(vcpu, KVM_SET_REGS, &regs));

    double start = microseconds();
    for (;;) {
        check("KVM_RUN", ioctl(vcpu, KVM_RUN, 0));
        if (run->exit_reason != KVM_EXIT_IO) {
            fprintf(stderr, "exit reason %u\n", run->exit_reason);
            return 1;
        }
        if (run->io.port == 0xf4)
            break;
    }
    printf("%.1f\n", microseconds() - start);
    return 0;
}
