/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry point. In: rdi = main's argument, rsi = the run's mark, rsp = anything (0 in an
 * initial task).
 *
 * A program whose threads all start here has a file of its own that includes this one, with
 * NR_STACKS and STACK_BYTES defined: then the argument, 0 to NR_STACKS - 1, chooses the stack.
 *
 * The first thread clears what an earlier run has left, then announces the run; the others wait for
 * that. Stacks and the announcement lie outside of what is cleared: they are zero only at first. A
 * mark is 0 at the first start, later one that no earlier run has known, and never all ones.
 */
#include "user/start/stack.h"

#ifndef NR_STACKS
#define NR_STACKS   1
#define STACK_BYTES START_STACK_BYTES
#endif

    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    lea 1(%rsi), %rbx
#if NR_STACKS > 1
    test %edi, %edi
    jz clear
wait:
    cmp %rbx, run_announced(%rip)
    je begin
    mov $START_SYS_YIELD, %rdx
    syscall
    jmp wait
clear:
#endif
    mov %rdi, %rdx
    lea __bss_start(%rip), %rdi
    lea __bss_end(%rip), %rcx
    sub %rdi, %rcx
    shr $3, %rcx
    xor %eax, %eax
    rep stosq
    mov %rdx, %rdi
    mov %rbx, run_announced(%rip)   /* stores are seen in their order */
#if NR_STACKS > 1
begin:
#endif
    lea stacks + STACK_BYTES(%rip), %rsp
#if NR_STACKS > 1
    imul $STACK_BYTES, %edi, %eax
    add %rax, %rsp
#endif
    xor %ebp, %ebp                  /* ends a backtrace */
    call main
    .globl program_end
program_end:
    ud2
    jmp program_end
    .size _start, . - _start

    .section .noinit, "aw", @nobits
    .balign 16
stacks:
    .skip STACK_BYTES * NR_STACKS
    .globl run_announced
    .balign 64                      /* apart from what the stacks' owners write */
run_announced:
    .skip 8

    .section .note.GNU-stack, "", @progbits
