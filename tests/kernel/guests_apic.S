/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of virtual APICs run (tests/kernel/virtual_apic.c): pieces of one program, copied to
 * VM_CODE, each left by an OUT. Handlers count at gs:8 * vector.
 */
        .macro PLACE name
        .globl guest_apic_\name
guest_apic_\name:
        .endm

        .section .rodata.guests, "a"
        .code64
        .globl guest_apic, guest_apic_end
guest_apic:
        sti
        nop
PLACE open                              /* interrupts have been taken */
        out %al, $0x80
PLACE closed
        cli
        out %al, $0x81
PLACE rdmsr
        rdmsr
PLACE after_rdmsr
        out %al, $0x82
PLACE wrmsr
        wrmsr
PLACE after_wrmsr
        out %al, $0x83
PLACE cr8                               /* returns in rbx what it is afterwards */
        mov %rax, %cr8
        mov %cr8, %rbx
        out %al, $0x84
PLACE halt
        sti
        hlt
PLACE after_halt
        out %al, $0x85
PLACE spin
        sti
1:      incq %gs:0
        jmp 1b

        .macro END_OF_INTERRUPT
        mov $0x80b, %ecx
        xor %eax, %eax
        xor %edx, %edx
        wrmsr
        .endm

PLACE handler_20
        incq %gs:8*0x20
        END_OF_INTERRUPT
PLACE after_eoi
        iretq
PLACE handler_30
        incq %gs:8*0x30
        END_OF_INTERRUPT
        iretq
PLACE handler_31                        /* forgets its end */
        incq %gs:8*0x31
        iretq
PLACE handler_50
        incq %gs:8*0x50
        END_OF_INTERRUPT
        iretq
guest_apic_end:

        .section .note.GNU-stack, "", @progbits
