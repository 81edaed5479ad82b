/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void svm_enter(u64 *gpr, u64 vmcb_hpa, u64 host_vmcb_hpa)
 *
 * One world switch on AMD-V (APM volume 2, 15.5). VMRUN itself exchanges rip, rsp, rax, rflags, the
 * control registers, CS SS DS ES and the descriptor tables; VMLOAD and VMSAVE the rest of the segments
 * and the system-call MSRs; this stub the other general registers, which lie in gpr in the order
 * rax rbx rcx rdx rsi rdi rbp r8..r15 (rax: in the VMCB, by the caller).
 *
 * In: interrupts off, GIF set. While GIF is clear (from CLGI on) nothing interrupts; interrupts are
 * enabled underneath so that with V_INTR_MASKING one that comes while the guest runs ends it.
 * Out: as in, all callee-saved registers kept. Nothing of the guest is used as an address.
 */
        .text
        .globl svm_enter
        .type svm_enter, @function
svm_enter:
        push %rbp
        push %rbx
        push %r12
        push %r13
        push %r14
        push %r15
        push %rdx
        push %rdi

        clgi
        sti
        mov %rdx, %rax
        vmsave                          /* this thread's FS, GS, TR, LDTR and system-call MSRs */
        mov %rsi, %rax
        vmload

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

        vmrun
        vmsave                          /* rax is the VMCB's address again */

        xchg %rdi, (%rsp)               /* gpr; the guest's rdi waits on the stack */
        mov %rbx, 1*8(%rdi)
        mov %rcx, 2*8(%rdi)
        mov %rdx, 3*8(%rdi)
        mov %rsi, 4*8(%rdi)
        mov %rbp, 6*8(%rdi)
        mov %r8, 7*8(%rdi)
        mov %r9, 8*8(%rdi)
        mov %r10, 9*8(%rdi)
        mov %r11, 10*8(%rdi)
        mov %r12, 11*8(%rdi)
        mov %r13, 12*8(%rdi)
        mov %r14, 13*8(%rdi)
        mov %r15, 14*8(%rdi)
        pop %rdx
        mov %rdx, 5*8(%rdi)
        pop %rax
        vmload
        cli
        stgi

        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbx
        pop %rbp
        ret
        .size svm_enter, . - svm_enter

        .section .note.GNU-stack, "", @progbits
