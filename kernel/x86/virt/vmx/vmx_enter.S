/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * enum guest_outcome vmx_resume(u64 *gpr, const u64 *registers), and vmx_launch
 *
 * One world switch on VT-x (SDM volume 3, chapters 27 and 28). The processor exchanges rip, rsp,
 * rflags, the control registers, segments and descriptor tables with the current VMCS; this stub
 * the other general registers (guest_registers.def).
 *
 * gpr is the start of a struct vcpu, and the VMCS's host rsp. So nothing has to be written to the
 * VMCS for an entry: the exit finds where to store the registers in rsp, and there the stack.
 *
 * In: interrupts off, the VMCS current and in order, this core's lock held, which is given up when
 * `registers`, where the guest's are, have been read. Out: interrupts off, the guest's registers in
 * gpr, all callee-saved registers and the stack as they were at the call: C goes on as if it had
 * been called instead, with vmx_left after an exit, with vmx_refused if the processor refused to
 * enter (VMfail). So nobody saves registers for what is kept across the switch. Nothing of the
 * guest is used as an address.
 */
#include "kernel/gen/asm_offsets.h"
#include "kernel/x86/virt/guest_registers.def"

#define VCPU_KERNEL_RSP VCPU_BACKEND /* first in struct vmx_state */

.macro WORLD_SWITCH instruction
        PUSH_CALLEE_SAVED
        mov %rsp, VCPU_KERNEL_RSP(%rdi)
        push %rdi

        mov %rsi, %rdi
        mov 0*8(%rdi), %rax
        LOAD_GUEST_REGISTERS
        movl $CORE_HOLDS_NONE, %gs:CORE_HELD_LOCKS
        incl %gs:CORE_NOW_SERVING
        \instruction
.endm

        .text
        .globl vmx_launch
        .type vmx_launch, @function
vmx_launch:
        WORLD_SWITCH vmlaunch
        jmp refused
        .size vmx_launch, . - vmx_launch

        .balign 64
        .globl vmx_resume
        .type vmx_resume, @function
vmx_resume:
        WORLD_SWITCH vmresume

refused:
        push %rax                       /* the stack is still ours */
        mov 8(%rsp), %rax
        STORE_GUEST_REGISTERS %rax
        mov %rax, %rdi
        pop 0*8(%rdi)
        pop %rax
        POP_CALLEE_SAVED
        jmp vmx_refused
        .size vmx_resume, . - vmx_resume

        .balign 64
        .globl vmx_exit_point
        .type vmx_exit_point, @function
vmx_exit_point:
        mov %rax, 0*8(%rsp)
        STORE_GUEST_REGISTERS %rsp
        mov %rsp, %rdi
        mov VCPU_KERNEL_RSP(%rdi), %rsp
        POP_CALLEE_SAVED
        jmp vmx_left
        .size vmx_exit_point, . - vmx_exit_point

        .section .note.GNU-stack, "", @progbits
