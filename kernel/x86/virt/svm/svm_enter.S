/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void svm_enter(u64 *gpr, u64 vmcb_hpa, u64 host_vmcb_hpa)
 *
 * One world switch on AMD-V (APM volume 2, 15.5). VMRUN itself exchanges rip, rsp, rax, rflags, the
 * control registers, CS SS DS ES and the descriptor tables; VMLOAD and VMSAVE the rest of the segments
 * and the system-call MSRs; this stub the other general registers (guest_registers.def; rax: in the
 * VMCB, by the caller).
 *
 * In: interrupts off, GIF set. While GIF is clear (from CLGI on) nothing interrupts; interrupts are
 * enabled underneath so that with V_INTR_MASKING one that comes while the guest runs ends it.
 * Out: as in, all callee-saved registers kept. Nothing of the guest is used as an address.
 */
#include "kernel/x86/virt/guest_registers.def"

        .text
        .globl svm_enter
        .type svm_enter, @function
svm_enter:
        PUSH_CALLEE_SAVED
        push %rdx
        push %rdi

        clgi
        sti
        mov %rdx, %rax
        vmsave                          /* this thread's FS, GS, TR, LDTR and system-call MSRs */
        mov %rsi, %rax
        vmload

        LOAD_GUEST_REGISTERS

        vmrun
        vmsave                          /* rax is the VMCB's address again */

        xchg %rdi, (%rsp)               /* gpr; the guest's rdi waits on the stack */
        STORE_GUEST_REGISTERS %rdi
        pop %rdx
        mov %rdx, 5*8(%rdi)
        pop %rax
        vmload
        cli
        stgi

        POP_CALLEE_SAVED
        ret
        .size svm_enter, . - svm_enter

        .section .note.GNU-stack, "", @progbits
