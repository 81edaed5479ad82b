/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way for the IPC that matters most: a Call of a passive server that waits, and its
 * ReplyRecv. Both hand the caller's scheduling context over, so that budgets, timer and ready
 * queues stay as they are; nothing else of the kernel's state changes either.
 *
 * Everything else is left to the general path, which gives the same results (tests/unit/kernel
 * compares the two).
 * Locking: this core's lock. The two threads, the endpoint and the reply object are this core's as
 * long as there is one core; where more run, the endpoint will need a try-lock.
 */
#ifndef KERNEL_API_FASTPATH_H
#define KERNEL_API_FASTPATH_H

#include "kernel/core/types.h"

/* The current thread's system call; false: not done, nothing changed. */
bool fastpath_call(void);
bool fastpath_reply_recv(void);

#endif
