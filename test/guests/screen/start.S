/* A multiboot 1 or 2 kernel that wants a framebuffer: what the loader gave in EAX and EBX goes to draw(). */
        .section .boot.header, "a"
#ifdef MULTIBOOT2
        .balign 8
header: .long 0xe85250d6, 0, end - header, -(0xe85250d6 + (end - header))
        .short 5, 0
        .long 20, 0, 0, 32
        .balign 8
        .short 0, 0
        .long 8
end:
#else
        .long 0x1badb002, 4, -(0x1badb002 + 4)
        .long 0, 0, 0, 0, 0, 0, 0, 0, 32
#endif
        .text
        .globl start
start:
        movl $stack_top, %esp
        pushl %ebx
        pushl %eax
        call draw

        .bss
        .balign 16
        .space 4096
stack_top:

        .section .note.GNU-stack, "", @progbits
