/* The entry of all three protocols: what the loader gave in EAX and EBX goes to facts(). */
#ifdef MULTIBOOT1
        .section .boot.header, "a"
        .long 0x1badb002, 2, -(0x1badb002 + 2)
#endif
#ifdef PVH
        .section .note.pvh, "a", @note
        .long 4, 4, 18
        .asciz "Xen"
        .long start
#endif
        .text
        .globl start
start:
        movl $stack_top, %esp
        pushl %ebx
        pushl %eax
        call facts
stop:   hlt
        jmp stop

        .bss
        .balign 16
        .space 4096
stack_top:

        .section .note.GNU-stack, "", @progbits
