/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry point. In: rdi = main's argument, rsp = anything (0 in an initial task).
 */
#include "user/start/stack.h"

    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    lea start_stack + START_STACK_BYTES(%rip), %rsp
    xor %ebp, %ebp                  /* ends a backtrace */
    call main
    .globl program_end
program_end:
    ud2
    jmp program_end
    .size _start, . - _start

    .bss
    .balign 16
start_stack:
    .skip START_STACK_BYTES

    .section .note.GNU-stack, "", @progbits
