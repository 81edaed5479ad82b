/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void svm_enter(const u64 *registers, u64 vmcb_hpa, u64 host_vmcb_hpa, u64 *gpr)
 *
 * One world switch on AMD-V (APM volume 2, 15.5). VMRUN itself exchanges rip, rsp, rax, rflags, the
 * control registers, CS SS DS ES and the descriptor tables; VMLOAD and VMSAVE the rest of the segments
 * and the system-call MSRs; this stub the other general registers (guest_registers.def; rax: in the
 * VMCB, by the caller): from `registers`, and to gpr.
 *
 * In: interrupts off, GIF set, this core's lock held, which is given up when `registers` have been
 * read. While GIF is clear (from CLGI on) nothing interrupts; interrupts are enabled underneath so
 * that with V_INTR_MASKING one that comes while the guest runs ends it.
 * Out: interrupts off, all callee-saved registers kept. Nothing of the guest is used as an address.
 */
#include "kernel/gen/asm_offsets.h"
#include "kernel/x86/virt/guest_registers.def"

        .text
        .globl svm_enter
        .type svm_enter, @function
svm_enter:
        PUSH_CALLEE_SAVED
        push %rcx
        push %rdx

        clgi
        sti
        mov %rdx, %rax
        vmsave                          /* this thread's FS, GS, TR, LDTR and system-call MSRs */
        mov %rsi, %rax

        LOAD_GUEST_REGISTERS
        movl $CORE_HOLDS_NONE, %gs:CORE_HELD_LOCKS
        incl %gs:CORE_NOW_SERVING

        vmload
        vmrun
        vmsave                          /* rax is the VMCB's address again */

        mov 8(%rsp), %rax
        STORE_GUEST_REGISTERS %rax
        pop %rax
        vmload
        cli
        stgi

        pop %rcx
        POP_CALLEE_SAVED
        ret
        .size svm_enter, . - svm_enter

        .section .note.GNU-stack, "", @progbits
