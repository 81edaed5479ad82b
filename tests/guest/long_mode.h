/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the assembler: a processor of a small guest goes from real or protected mode, paging off, to
 * 64-bit mode (Intel SDM volume 3, 10.8.5). Its GDT's CODE_SELECTOR is 64-bit code; a far jump
 * there is what remains to be done.
 */
#ifndef TESTS_GUEST_LONG_MODE_H
#define TESTS_GUEST_LONG_MODE_H

#define CR0_64_BIT    0x80000033
#define CR4_PAE       0x20
#define MSR_EFER      0xc0000080
#define EFER_LME      0x100
#define CODE_SELECTOR 0x10

#ifdef __ASSEMBLER__

/* clang-format off */

/* root: an operand that holds where the page tables are. Takes eax, ecx and edx. */
.macro ENTER_LONG_MODE root
        mov $CR4_PAE, %eax
        mov %eax, %cr4
        mov \root, %eax
        mov %eax, %cr3
        mov $MSR_EFER, %ecx
        xor %edx, %edx
        mov $EFER_LME, %eax
        wrmsr
        mov $CR0_64_BIT, %eax
        mov %eax, %cr0
.endm

/* clang-format on */

#endif

#endif
