/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry point. In: rdi = main's argument, rsp = anything (0 in an initial task).
 *
 * A program whose threads all start here has a file of its own that includes this one, with
 * NR_STACKS and STACK_BYTES defined: then the argument, 0 to NR_STACKS - 1, chooses the stack.
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

    .bss
    .balign 16
stacks:
    .skip STACK_BYTES * NR_STACKS

    .section .note.GNU-stack, "", @progbits
