/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Out of 64-bit mode: to protected mode without paging and back, and to real mode. The stack lies
 * below 4 GiB, at the same address with and without paging.
 */
#define CODE_32 0x08
#define CODE_64 0x10
#define CR0_PG  31
#define CR0_PE  0

        .macro GO_TO_32_BITS
        lgdt gdt_pointer(%rip)
        lea 1f(%rip), %rax
        push $CODE_32
        push %rax
        lretq
        .code32
1:
        .endm

        .text
        .code64
/* uint32_t without_paging(void): CR0 as it was then. CR3 is read and written meanwhile. */
        .globl without_paging
without_paging:
        GO_TO_32_BITS
        mov %cr0, %eax
        btr $CR0_PG, %eax
        mov %eax, %cr0
        jmp 2f
2:      mov %cr3, %edx
        xor %ecx, %ecx
        mov %ecx, %cr3
        mov %edx, %cr3
        mov %cr0, %ecx
        mov %ecx, %eax
        bts $CR0_PG, %eax
        mov %eax, %cr0
        ljmp $CODE_64, $3f
        .code64
3:      mov %ecx, %eax
        ret

/* void to_real_mode(void): does not return; nothing is where real mode would go on. */
        .globl to_real_mode
to_real_mode:
        GO_TO_32_BITS
        mov %cr0, %eax
        btr $CR0_PG, %eax
        btr $CR0_PE, %eax
        mov %eax, %cr0
        ud2
        .code64

        .section .rodata
        .balign 8
gdt:
        .quad 0
        .quad 0x00cf9b000000ffff        /* CODE_32 */
        .quad 0x00af9b000000ffff        /* CODE_64 */
gdt_pointer:
        .short gdt_pointer - gdt - 1
        .quad gdt

        .section .note.GNU-stack, "", @progbits
