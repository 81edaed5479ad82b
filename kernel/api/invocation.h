/* SPDX-License-Identifier: BSD-2-Clause */
/* The send phase of a system call: to an endpoint, notification or reply object, or to the kernel.
 */
#ifndef KERNEL_API_INVOCATION_H
#define KERNEL_API_INVOCATION_H

#include "kernel/object/ipc_objects.h"

/*
 * Invokes what cptr names with the current thread's message, and answers a Call of a kernel object.
 * Returns STATUS_PREEMPTED when the whole system call must be repeated; else STATUS_OK, whatever
 * the invocation's own answer is. A thread that could not find a capability has faulted then.
 */
enum status handle_invocation(u64 cptr, struct send_kind kind) MUST_CHECK;

#endif
