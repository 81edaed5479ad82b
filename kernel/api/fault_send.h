/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults: a thread that cannot go on calls its handler in its own name (ABI section 7). */
#ifndef KERNEL_API_FAULT_SEND_H
#define KERNEL_API_FAULT_SEND_H

#include "kernel/object/tcb.h"

/* Sends the fault to the thread's handler, or makes it inactive if it has none. */
void fault_send(struct tcb *thread, struct fault fault);
/* The same for a capability that was not found. */
void fault_send_capability(struct tcb *thread, u64 cptr, bool in_receive,
                           struct lookup_failure failure);
/* The same for a timeout; returns false if the thread has no timeout handler. */
bool timeout_fault_send(struct tcb *thread);
/* Writes thread->fault as a message: registers or buffer of the receiver. Returns the length. */
unsigned fault_message(struct tcb *thread, struct tcb *receiver, u64 *receive_buffer);
/* Takes the answer to thread's fault from replier. Returns whether thread shall run again. */
bool fault_reply(struct tcb *thread, struct tcb *replier, u64 label, u64 length);

#endif
