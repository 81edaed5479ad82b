/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two ends of a chain of calls (reply.c draws it), inline because the fast path of IPC is one.
 * Locking: as the scheduling context's.
 */
#ifndef KERNEL_OBJECT_REPLY_CHAIN_H
#define KERNEL_OBJECT_REPLY_CHAIN_H

#include "kernel/object/ipc_objects.h"
#include "kernel/object/sched_context.h"

/* The reply, of no chain, becomes the newest of the context's. */
static inline void reply_chain_push(struct reply *reply, struct sched_context *sc)
{
    struct reply *prev = sc->reply;

    reply->prev = prev;
    if (prev) {
        prev->next = reply;
        prev->sched_context = NULL;
    }
    reply->sched_context = sc;
    sc->reply = reply;
}

/* The newest of the context's chain goes; the one before it becomes the newest. */
static inline void reply_chain_pop(struct reply *reply, struct sched_context *sc)
{
    struct reply *prev = reply->prev;

    sc->reply = prev;
    if (prev) {
        prev->next = NULL;
        prev->sched_context = sc;
        reply->prev = NULL;
    }
    reply->sched_context = NULL;
}

#endif
