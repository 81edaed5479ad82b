/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short ways for what matters most: a Call of a passive server that waits, and its ReplyRecv,
 * which hand the caller's scheduling context over, so that budgets, timer and ready queues stay as
 * they are; and signalling, polling and waiting for notifications within this core.
 *
 * Everything else is left to the general path, which gives the same results (tests/unit/kernel
 * compares the two).
 * Locking: this core's lock. All threads concerned are this core's; an endpoint or notification,
 * whose queue may hold others, is locked for the time (ipc_objects.h has what keeps two cores
 * apart).
 */
#ifndef KERNEL_API_FASTPATH_H
#define KERNEL_API_FASTPATH_H

#include "kernel/core/types.h"

/* The current thread's system call; false: not done, nothing changed. */
bool fastpath_call(void);
bool fastpath_reply_recv(void);
/* Send or NBSend; Wait or NBWait. Chooses who runs next. */
bool fastpath_signal(void);
bool fastpath_wait(bool blocking);

#endif
