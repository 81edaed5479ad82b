/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways out of the kernel. The stubs of entry.S save the user's registers in current's context,
 * switch to the core's stack, and call a handler of kernel/api/syscall.h; when it returns,
 * kernel_leave runs this_core()->current: a thread, its guest, or the idle loop.
 */
#ifndef KERNEL_X86_ENTRY_H
#define KERNEL_X86_ENTRY_H

#include "kernel/core/types.h"

#ifdef BULKHEAD_HOST
#define LEAVES
#else
#define LEAVES NORETURN
#endif

struct core;
struct tcb;

/* After schedule() and activate_current(); locks are released here. Never returns. */
NORETURN void kernel_leave(void);
/*
 * The short way out: tcb is current and RUNNING, and this core's lock is held. Only in host tests
 * it returns. The first is for a thread that has become current
 * after another one: it switches to it before that, as arch_switch_to_thread does.
 */
void kernel_switch_and_resume(struct tcb *tcb, struct core *core);
LEAVES void kernel_resume(const struct tcb *tcb);
/* Its end in the usual case: keeps the FS and GS bases that are loaded in `before`, loads tcb's,
 * releases the lock and goes. (Not declared NORETURN, so that it is jumped to.) */
void kernel_exchange_and_resume(struct tcb *tcb, struct core *core, struct tcb *before);
/* The same, but lets a pending interrupt come first. */
NORETURN void kernel_leave_by_interrupt(void);

#endif
