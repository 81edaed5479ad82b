/* SPDX-License-Identifier: BSD-2-Clause */
/* For the assembler: handlers of a small guest's interrupts (interrupt.h). */
#ifndef TESTS_GUEST_HANDLER_H
#define TESTS_GUEST_HANDLER_H

#include "tests/guest/interrupt.h"

#ifdef __ASSEMBLER__

/* clang-format off */

/* Counts in a word, ends the interrupt, and goes back. */
.macro HANDLER name, counter
        .globl \name
\name:
        push %rax
        push %rcx
        push %rdx
        incl \counter(%rip)
        xor %eax, %eax
        xor %edx, %edx
        mov $MSR_X2APIC_EOI, %ecx
        wrmsr
        pop %rdx
        pop %rcx
        pop %rax
        iretq
.endm

/* clang-format on */

#endif

#endif
