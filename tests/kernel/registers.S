/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void registers_syscall(struct registers *registers)
 *
 * Loads every general register but rsp from the structure (registers.h), executes SYSCALL, stores
 * every general register to it.
 *
 * spin_here: where a thread stays, with the registers that it came with.
 */
    .text
    .globl registers_syscall
    .type registers_syscall, @function
registers_syscall:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi                   /* the structure */
    mov %rdi, %rax
    mov 8(%rax), %rbx
    mov 16(%rax), %rcx
    mov 24(%rax), %rdx
    mov 32(%rax), %rsi
    mov 40(%rax), %rdi
    mov 48(%rax), %rbp
    mov 56(%rax), %r8
    mov 64(%rax), %r9
    mov 72(%rax), %r10
    mov 80(%rax), %r11
    mov 88(%rax), %r12
    mov 96(%rax), %r13
    mov 104(%rax), %r14
    mov 112(%rax), %r15
    mov 0(%rax), %rax
    .globl registers_syscall_ip
registers_syscall_ip:
    syscall
    xchg %rax, (%rsp)
    mov %rbx, 8(%rax)
    mov %rcx, 16(%rax)
    mov %rdx, 24(%rax)
    mov %rsi, 32(%rax)
    mov %rdi, 40(%rax)
    mov %rbp, 48(%rax)
    mov %r8, 56(%rax)
    mov %r9, 64(%rax)
    mov %r10, 72(%rax)
    mov %r11, 80(%rax)
    mov %r12, 88(%rax)
    mov %r13, 96(%rax)
    mov %r14, 104(%rax)
    mov %r15, 112(%rax)
    pop %rcx
    mov %rcx, 0(%rax)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size registers_syscall, . - registers_syscall

    .globl spin_here
spin_here:
    jmp spin_here

    .section .note.GNU-stack, "", @progbits
