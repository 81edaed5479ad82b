/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bool vmx_enter(u64 *gpr, bool launched)
 *
 * One world switch on VT-x (SDM volume 3, chapters 27 and 28). The processor exchanges rip, rsp,
 * rflags, the control registers, segments and descriptor tables with the current VMCS; this stub
 * the other general registers, which lie in gpr in the order rax rbx rcx rdx rsi rdi rbp r8..r15.
 *
 * gpr is the start of a struct vcpu, and the VMCS's host rsp. So nothing has to be written to the
 * VMCS for an entry: the exit finds where to store the registers in rsp, and there the stack.
 *
 * In: interrupts off, the VMCS current and in order. Out: interrupts off, all callee-saved
 * registers kept; true after an exit, false if the processor refused to enter (VMfail). Nothing of
 * the guest is used as an address.
 */
#include "kernel/gen/asm_offsets.h"

#define VCPU_KERNEL_RSP VCPU_BACKEND /* first in struct vmx_state */

        .text
        .globl vmx_enter
        .type vmx_enter, @function
vmx_enter:
        push %rbp
        push %rbx
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, VCPU_KERNEL_RSP(%rdi)

        test %sil, %sil                 /* the moves leave the flags alone */
        mov 0*8(%rdi), %rax
        mov 1*8(%rdi), %rbx
        mov 2*8(%rdi), %rcx
        mov 3*8(%rdi), %rdx
        mov 4*8(%rdi), %rsi
        mov 6*8(%rdi), %rbp
        mov 7*8(%rdi), %r8
        mov 8*8(%rdi), %r9
        mov 9*8(%rdi), %r10
        mov 10*8(%rdi), %r11
        mov 11*8(%rdi), %r12
        mov 12*8(%rdi), %r13
        mov 13*8(%rdi), %r14
        mov 14*8(%rdi), %r15
        mov 5*8(%rdi), %rdi
        jnz 1f
        vmlaunch
        jmp 2f
1:      vmresume
2:      xor %eax, %eax                  /* VMfail: the stack is still ours */
        jmp 3f

        .globl vmx_exit_point
vmx_exit_point:
        mov %rax, 0*8(%rsp)
        mov %rbx, 1*8(%rsp)
        mov %rcx, 2*8(%rsp)
        mov %rdx, 3*8(%rsp)
        mov %rsi, 4*8(%rsp)
        mov %rdi, 5*8(%rsp)
        mov %rbp, 6*8(%rsp)
        mov %r8, 7*8(%rsp)
        mov %r9, 8*8(%rsp)
        mov %r10, 9*8(%rsp)
        mov %r11, 10*8(%rsp)
        mov %r12, 11*8(%rsp)
        mov %r13, 12*8(%rsp)
        mov %r14, 13*8(%rsp)
        mov %r15, 14*8(%rsp)
        mov VCPU_KERNEL_RSP(%rsp), %rsp
        mov $1, %eax

3:      pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbx
        pop %rbp
        ret
        .size vmx_enter, . - vmx_enter

        .section .note.GNU-stack, "", @progbits
