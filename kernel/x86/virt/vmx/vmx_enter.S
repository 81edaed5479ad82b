/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bool vmx_enter(u64 *gpr, bool launched, const u64 *registers)
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
 * gpr, all callee-saved registers kept; true after an exit, false if the processor refused to enter
 * (VMfail). Nothing of the guest is used as an address.
 */
#include "kernel/gen/asm_offsets.h"
#include "kernel/x86/virt/guest_registers.def"

#define VCPU_KERNEL_RSP VCPU_BACKEND /* first in struct vmx_state */

        .text
        .globl vmx_enter
        .type vmx_enter, @function
vmx_enter:
        PUSH_CALLEE_SAVED
        mov %rsp, VCPU_KERNEL_RSP(%rdi)
        push %rdi
        push %rsi

        mov %rdx, %rdi
        mov 0*8(%rdi), %rax
        LOAD_GUEST_REGISTERS
        movl $CORE_HOLDS_NONE, %gs:CORE_HELD_LOCKS
        incl %gs:CORE_NOW_SERVING

        cmpb $0, (%rsp)
        jne 1f
        vmlaunch
        jmp 2f
1:      vmresume
2:      mov %rax, (%rsp)                /* VMfail: the stack is still ours */
        mov 8(%rsp), %rax
        STORE_GUEST_REGISTERS %rax
        pop %rbx
        mov %rbx, 0*8(%rax)
        pop %rbx
        xor %eax, %eax
        jmp 3f

        .globl vmx_exit_point
vmx_exit_point:
        mov %rax, 0*8(%rsp)
        STORE_GUEST_REGISTERS %rsp
        mov VCPU_KERNEL_RSP(%rsp), %rsp
        mov $1, %eax

3:      POP_CALLEE_SAVED
        ret
        .size vmx_enter, . - vmx_enter

        .section .note.GNU-stack, "", @progbits
