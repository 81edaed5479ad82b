/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where each vCPU's thread starts, in place of user/start's entry point. In: rdi = the vCPU's
 * number, which is main's argument and chooses the stack.
 */
#include "user/vmm/stack.h"

    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    lea 1(%rdi), %eax
    imul $VMM_STACK_BYTES, %eax, %eax
    lea stacks(%rip), %rsp
    add %rax, %rsp
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
    .skip VMM_STACK_BYTES * VMM_MAX_VCPUS

    .section .note.GNU-stack, "", @progbits
