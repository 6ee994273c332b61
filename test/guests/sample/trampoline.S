/*
 * Where the other processors start, in real mode at TRAMPOLINE: a start-up IPI carries a page number below 1 MiB, so
 * the kernel copies this page there. Each processor draws a number and takes the stack of that number.
 */
#include "layout.h"

        .section .trampoline, "ax", @progbits
        .code16
        .globl trampoline_start
        .type trampoline_start, @function
trampoline_start:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl trampoline_gdt_pointer
        mov %cr0, %eax
        or $CR0_PE, %eax
        mov %eax, %cr0                  //#MARKER secondary-protected-mode
        ljmpl $BOOT_CODE32, $trampoline32
        .size trampoline_start, . - trampoline_start

        .code32
        .type trampoline32, @function
trampoline32:
        mov $KERNEL_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov %cr4, %eax
        or $CR4_PAE, %eax
        mov %eax, %cr4
        mov $boot_pml4, %eax
        mov %eax, %cr3
        mov $MSR_EFER, %ecx
        rdmsr
        or $(EFER_LME | EFER_NXE), %eax
        wrmsr
        mov %cr0, %eax
        or $(CR0_PG | CR0_WP), %eax
        mov %eax, %cr0
        ljmp $KERNEL_CODE, $trampoline64
        .size trampoline32, . - trampoline32

        .code64
        .type trampoline64, @function
trampoline64:
        mov $enter_secondary, %rax
        jmp *%rax
        .size trampoline64, . - trampoline64

        .balign 4
trampoline_gdt_pointer:
        .word 4 * 8 - 1
        .long boot_gdt

        .section .text
        .type enter_secondary, @function
enter_secondary:
        .cfi_sections .debug_frame
        .cfi_startproc
        .cfi_undefined rip
        mov $1, %edi
        lock xadd %edi, cpus_started
        cmp $MAX_CPUS, %edi
        jae park
        mov %edi, %eax
        inc %eax
        imul $KERNEL_STACK_SIZE, %rax, %rax
        lea cpu_stacks(%rax), %rsp
        xor %ebp, %ebp
        call secondary_main
park:
        cli
        hlt
        jmp park
        .cfi_endproc
        .size enter_secondary, . - enter_secondary

        .section .note.GNU-stack, "", @progbits
