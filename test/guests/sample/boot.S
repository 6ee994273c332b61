/*
 * From power-on to C. Three ways in: `start64`, the ELF entry, in long mode with the loader's identity paging;
 * `start32`, the multiboot 1 entry, in protected mode without paging; and the other processors by their start-up IPI
 * (trampoline.S). All go on with the page tables below and arrive in the higher half.
 */
#include "layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00010000 /* the address fields are valid */

        .cfi_sections .debug_frame

        .section .boot.multiboot, "a", @progbits
        .balign 4
multiboot_header:
        .long MULTIBOOT_MAGIC
        .long MULTIBOOT_FLAGS
        .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        .long multiboot_header
        .long image_load_start
        .long image_load_end
        .long image_end
        .long start32

        .section .boot.text, "ax", @progbits
        .code32
        .globl start32
        .type start32, @function
start32:
        cli
        lgdt boot_gdt_pointer
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
        or $(CR0_PG | CR0_WP | CR0_PE), %eax
        mov %eax, %cr0                  //#MARKER long-mode
        ljmp $KERNEL_CODE, $start64
        .size start32, . - start32

        .code64
        .globl start64
        .type start64, @function
start64:
        .cfi_startproc
        .cfi_undefined rip
        cli
        cld
        lgdt boot_gdt_pointer
        mov $boot_pml4, %eax
        mov %rax, %cr3                  //#MARKER own-page-tables
        mov $MSR_EFER, %ecx
        rdmsr
        or $EFER_NXE, %eax
        wrmsr
        mov %cr0, %rax
        or $CR0_WP, %rax
        mov %rax, %cr0
        mov $KERNEL_DATA, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        mov $(boot_stack + BOOT_STACK_SIZE), %rsp
        push $KERNEL_CODE
        push $enter_kernel
        lretq                           //#MARKER higher-half
        .cfi_endproc
        .size start64, . - start64

        .section .text
        .type enter_kernel, @function
enter_kernel:
        .cfi_startproc
        .cfi_undefined rip
        xor %ebp, %ebp
        call kernel_main
        ud2
        .cfi_endproc
        .size enter_kernel, . - enter_kernel

        .section .boot.data, "aw", @progbits
        .globl boot_gdt_pointer
        .balign 8
        .globl boot_gdt
boot_gdt:
        .quad 0
        .quad 0x00af9b000000ffff        /* 64-bit code */
        .quad 0x00cf93000000ffff        /* data */
        .quad 0x00cf9b000000ffff        /* 32-bit code, for the trampoline */
boot_gdt_end:
boot_gdt_pointer:
        .word boot_gdt_end - boot_gdt - 1
        .quad boot_gdt

        /* The first GiB in 2 MiB pages, at 0 and at KERNEL_BASE. */
        .globl boot_pml4
        .balign 4096
boot_pml4:
        .quad boot_pdpt + (PAGE_PRESENT | PAGE_WRITE)
        .fill 510, 8, 0
        .quad boot_pdpt + (PAGE_PRESENT | PAGE_WRITE)
boot_pdpt:
        .quad boot_pd + (PAGE_PRESENT | PAGE_WRITE)
        .fill 509, 8, 0
        .quad boot_pd + (PAGE_PRESENT | PAGE_WRITE)
        .quad 0
boot_pd:
        .set frame, 0
        .rept 512
        .quad frame + (PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE)
        .set frame, frame + 0x200000
        .endr

        .section .bss
        .balign 16
boot_stack:
        .skip BOOT_STACK_SIZE

        /* Asks Ringside for a Xen-like hypervisor: the guest calls through a hypercall page. */
        .section .note.ringside, "a", @note
        .balign 4
        .long 9, 4, 1
        .asciz "Ringside"
        .balign 4
        .asciz "xen"
        .balign 4

        .section .note.GNU-stack, "", @progbits
