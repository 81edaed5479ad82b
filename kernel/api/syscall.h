/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the entry stubs call, once registers are saved in the current thread's context, and what
 * user code sees of it. Each takes the locks, works, schedules, and returns to the stub, which
 * leaves the kernel by kernel_leave (kernel/x86/entry.h).
 */
#ifndef KERNEL_API_SYSCALL_H
#define KERNEL_API_SYSCALL_H

#include "kernel/core/lock.h"
#include "kernel/core/types.h"

/* SYSCALL with this number in rdx, with this core's lock, which the entry stub has taken
 * (fastpath.c). Current: of this core, which is the other argument. */
void handle_syscall(struct tcb *current, struct core *core, s64 number);
#ifdef BULKHEAD_HOST
/* What the entry stub does. */
static inline void syscall_entry(s64 number)
{
    lock_on_entry(this_core());
    handle_syscall(this_core()->current, this_core(), number);
}
#endif
/* The same without short ways: what it falls back to, with no lock or this core's. */
void handle_syscall_general(s64 number);
/* int n with a vector that is nobody's: an unknown system call (ABI section 2.2). */
void handle_unknown_syscall(s64 number);
/* An exception of user code other than a page fault. */
void handle_user_exception(unsigned vector, u64 error_code);
/* A page fault of user code. */
void handle_page_fault(u64 address, u64 error_code);
/* An interrupt of a device, by the API's irq number (vector - 0x30 + 16 - 16: see
 * kernel/object/irq.h). */
void handle_interrupt(unsigned irq);
/* The core's timer fired. */
void handle_timer(void);
/* Another core has a request, or has changed what this one is to run. */
void handle_other_core(void);

#endif
