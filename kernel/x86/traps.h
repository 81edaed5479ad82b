/* SPDX-License-Identifier: BSD-2-Clause */
/* What entry.S and traps.c share. */
#ifndef KERNEL_X86_TRAPS_H
#define KERNEL_X86_TRAPS_H

#include "kernel/core/types.h"

/* One stub of this size for each of the 256 vectors. */
#define TRAP_STUB_BYTES 16
extern const u8 trap_stubs[];

extern const u8 syscall_entry[], syscall_entry_32[];
/* The IRET that leaves for user mode: the one kernel instruction that a user can make fault. */
extern const u8 user_iret[];

/* What the stubs push for a trap out of the kernel. */
struct trap_frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector, error_code;
    u64 rip, cs, rflags, rsp, ss;
};

/* An exception or interrupt of user code; its registers are in current's context. */
void trap_from_user(u64 vector);
/* An interrupt: of user code, or in the one place of the kernel where they may come. */
void trap_interrupt(u64 vector);
/* Anything else that happens in the kernel, and what can have no other end. */
__attribute__((noreturn)) void trap_panic(const struct trap_frame *frame);
/* kernel_leave found the current thread in a state in which it cannot be left to. */
__attribute__((noreturn)) void leave_panic(void);

#endif
