/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt handler of tests/guest/exits.c: ends the interrupt and says that it has been here. */
#include "tests/guest/interrupt.h"

        .text
        .code64
        .globl exits_on_interrupt
exits_on_interrupt:
        push %rax
        push %rcx
        push %rdx
        incl exits_interrupts(%rip)
        xor %eax, %eax
        xor %edx, %edx
        mov $MSR_X2APIC_EOI, %ecx
        wrmsr
        pop %rdx
        pop %rcx
        pop %rax
        iretq

        .section .note.GNU-stack, "", @progbits
