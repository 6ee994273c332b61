/*
 * Where interrupts and exceptions come in: one named stub a vector pushes what the processor did not, then all share
 * one path that saves the registers as a `struct trap_frame` and returns to the frame that C chose.
 */
        .cfi_sections .debug_frame
        .text

/* At the first instruction of a stub: RIP, CS, RFLAGS, RSP, SS, and below them an error code for some vectors. */
        .macro interrupt_frame pushed
        .cfi_startproc
        .cfi_signal_frame
        .cfi_def_cfa rsp, 40 + \pushed
        .cfi_offset rip, -40
        .cfi_offset rsp, -16
        .endm

        .macro stub name, vector, error=0
        .globl \name
        .type \name, @function
        .balign 16
\name:
        .if \error
        interrupt_frame 8
        .else
        interrupt_frame 0
        push $0
        .cfi_adjust_cfa_offset 8
        .endif
        push $\vector
        .cfi_adjust_cfa_offset 8
        jmp interrupt_common
        .cfi_endproc
        .size \name, . - \name
        .pushsection .interrupt_stubs, "a", @progbits
        .quad \vector, \name
        .popsection
        .endm

        .macro save register
        push %\register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
        .endm

        .macro restore register
        pop %\register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
        .endm

        .type interrupt_common, @function
interrupt_common:
        interrupt_frame 16
        .irp register, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        save \register
        .endr
        cld
        mov %rsp, %rdi
        call interrupt_dispatch
        mov %rax, %rsp                  //#MARKER switch-stack
        .globl resume_frame
resume_frame:
        .irp register, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
        restore \register
        .endr
        add $16, %rsp
        .cfi_adjust_cfa_offset -16
        iretq                           //#MARKER interrupt-return
        .cfi_endproc
        .size interrupt_common, . - interrupt_common

        stub divide_error, 0
        stub debug_exception, 1
        stub nonmaskable_interrupt, 2
        stub breakpoint_trap, 3
        stub overflow_trap, 4
        stub bound_range_exceeded, 5
        stub invalid_opcode, 6
        stub device_not_available, 7
        stub double_fault, 8, 1
        stub coprocessor_segment_overrun, 9
        stub invalid_tss, 10, 1
        stub segment_not_present, 11, 1
        stub stack_segment_fault, 12, 1
        stub general_protection_fault, 13, 1
        stub page_fault, 14, 1
        stub reserved_15, 15
        stub x87_error, 16
        stub alignment_check, 17, 1
        stub machine_check, 18
        stub simd_error, 19
        stub virtualization_exception, 20
        stub control_protection, 21, 1
        stub reserved_22, 22
        stub reserved_23, 23
        stub reserved_24, 24
        stub reserved_25, 25
        stub reserved_26, 26
        stub reserved_27, 27
        stub hypervisor_injection, 28
        stub vmm_communication, 29, 1
        stub security_exception, 30, 1
        stub reserved_31, 31

        stub pic_timer, 0x20
        stub pic_keyboard, 0x21
        stub pic_cascade, 0x22
        stub pic_serial2, 0x23
        stub pic_serial1, 0x24
        stub pic_parallel2, 0x25
        stub pic_floppy, 0x26
        stub pic_spurious, 0x27
        stub pic_rtc, 0x28
        stub pic_line9, 0x29
        stub pic_line10, 0x2a
        stub pic_line11, 0x2b
        stub pic_mouse, 0x2c
        stub pic_fpu, 0x2d
        stub pic_disk1, 0x2e
        stub pic_disk2, 0x2f

        stub ioapic_serial1, 0x34
        stub lapic_timer, 0x40
        stub lapic_error, 0xfe
        stub lapic_spurious, 0xff

        .section .note.GNU-stack, "", @progbits
