/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a user thread. Pure data: whoever reads or writes them here executes nothing
 * privileged. Assembly takes the offsets from the generated header (asm_offsets.c).
 */
#ifndef KERNEL_X86_CONTEXT_H
#define KERNEL_X86_CONTEXT_H

#include "kernel/core/types.h"

#define CONTEXT_GENERAL 15

struct user_context {
    union {
        struct {
            u64 rax, rbx, rcx, rdx, rsi, rdi, rbp;
            u64 r8, r9, r10, r11, r12, r13, r14, r15;
        };
        u64 general[CONTEXT_GENERAL]; /* the same in the API's order */
    };
    u64 rip; /* of the next instruction */
    u64 rsp;
    u64 rflags;
    u64 fs_base; /* what the thread has while it does not run; live in the CPU while it does */
    u64 gs_base;
    u64 error_code;
    /*
     * Not 0: entered by SYSCALL and unchanged since; rcx and r11 are stale. It is then the first
     * address that SYSRET must not return to: to one that is not canonical it would fault in the
     * kernel with the user's stack (Intel).
     */
    u64 by_syscall;
};

#define CONTEXT_SYSCALL_LENGTH 2            /* bytes of the SYSCALL instruction */
#define CONTEXT_SYSRET_END     (1ull << 47) /* by_syscall */

/*
 * The selectors, in Linux's order: so STAR of a guest that runs Linux is ours, too, and does not
 * have to be exchanged (virt/vmx/vmx_run.c).
 */
#define SELECTOR_KERNEL_CS 0x10
#define SELECTOR_KERNEL_DS 0x18
#define SELECTOR_USER_DS   0x2b
#define SELECTOR_USER_CS   0x33
#define SELECTOR_TSS       0x38

/* ABI section 7: what any register value supplied by a user becomes. */
static inline u64 context_sanitise_address(u64 address)
{
    return (address >> 47) == 0 || (address >> 47) == 0x1ffff ? address : 0;
}

static inline u64 context_sanitise_rflags(u64 rflags)
{
    return (rflags & 0xed7) | 0x202;
}

/*
 * FPU state of a thread lies in its TCB; the CPU holds somebody's (kernel/x86/fpu.h). The area is
 * XSAVE's standard format for x87 and SSE (ABI section 9).
 */
#define FPU_AREA_BYTES 576

#endif
