/* Numbers that assembly and C share: selectors, control bits, the address-space layout. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define BOOT_CODE32 0x18
#define USER_DATA 0x1b
#define USER_CODE 0x23
/* One 16-byte TSS descriptor a processor, from here on. */
#define FIRST_TSS 0x28

#define CR0_PE (1 << 0)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_PGE (1 << 7)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)

#define PAGE_PRESENT 0x001
#define PAGE_WRITE 0x002
#define PAGE_USER 0x004
#define PAGE_CACHE_DISABLE 0x010
#define PAGE_LARGE 0x080
#define PAGE_GLOBAL 0x100

#define BOOT_STACK_SIZE 8192
#define KERNEL_STACK_SIZE 8192
#define MAX_CPUS 8

#define TRAMPOLINE 0x8000

#endif
