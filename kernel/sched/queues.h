/* SPDX-License-Identifier: BSD-2-Clause */
/* What schedule() asks the queues (sched.h has what changes them). Locking: the core's lock. */
#ifndef KERNEL_SCHED_QUEUES_H
#define KERNEL_SCHED_QUEUES_H

#include "kernel/core/core.h"

struct tcb;

/* The highest priority of a ready thread, or -1. */
static inline int ready_highest_priority(const struct core *core)
{
    if (!core->ready_top)
        return -1;

    int word = 63 - __builtin_clzll(core->ready_top);

    return word * 64 + 63 - __builtin_clzll(core->ready_words[word]);
}

/* The first of that priority, or NULL. */
struct tcb *ready_first(const struct core *core);
/* Node of the release queue's heap, 1 <= node <= core->release_count (release.c). */
struct tcb *release_at(const struct core *core, unsigned node);
/* When the thread's refill comes. */
ticks_t release_time(const struct tcb *tcb);

#endif
