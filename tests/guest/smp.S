/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Further processors for a small guest, and interprocessor interrupts (tests/guest/smp.h). The page
 * at smp_trampoline is copied to SMP_TRAMPOLINE, where a start-up message sends the processor in
 * real mode; it goes straight to 64-bit mode on the first one's page tables, and calls smp_main.
 * Source: Intel SDM volume 3, 11.12 (x2APIC).
 */
#include "tests/guest/handler.h"
#include "tests/guest/long_mode.h"
#include "tests/guest/smp.h"

#define IN_TRAMPOLINE(label) (SMP_TRAMPOLINE + (label) - smp_trampoline)

        .section .rodata
        .code16
        .globl smp_trampoline, smp_trampoline_cr3, smp_trampoline_end
smp_trampoline:
        cli
        xor %ax, %ax
        mov %ax, %ds
        lgdtl IN_TRAMPOLINE(gdt_pointer)
        ENTER_LONG_MODE IN_TRAMPOLINE(smp_trampoline_cr3)
        ljmpl $CODE_SELECTOR, $other_start

        .balign 8
gdt:
        .quad 0, 0, 0x00af9b000000ffff
gdt_pointer:
        .word . - gdt - 1
        .long IN_TRAMPOLINE(gdt)
smp_trampoline_cr3:
        .long 0
smp_trampoline_end:

        .text
        .code64
other_start:
        mov smp_stack(%rip), %rsp
        xor %ebp, %ebp
        call smp_main
1:      hlt
        jmp 1b

/* void smp_send(uint32_t vector, uint32_t apic_id) */
        .globl smp_send, smp_send_now
smp_send:
        mov %edi, %eax
        mov %esi, %edx
        mov $MSR_X2APIC_ICR, %ecx
smp_send_now:
        wrmsr
        ret

/* Each counts in its processor's own word. */
        HANDLER smp_on_first, smp_interrupts
        HANDLER smp_on_second, smp_interrupts+4

        .section .note.GNU-stack, "", @progbits
