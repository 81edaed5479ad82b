/* SPDX-License-Identifier: BSD-2-Clause */
/* Ready queues, one for each priority. */
#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/queues.h"
#include "kernel/sched/sched.h"

static struct core *core_of(const struct tcb *tcb)
{
    return &cores[tcb->core];
}

/* --- ready ----------------------------------------------------------------------------------- */

static void mark_nonempty(struct core *core, unsigned priority)
{
    core->ready_words[priority / 64] |= BIT(priority % 64);
    core->ready_top |= BIT(priority / 64);
    if (priority > core->ready_floor)
        core->ready_floor = (u8)priority;
}

static void mark_empty(struct core *core, unsigned priority)
{
    core->ready_words[priority / 64] &= ~BIT(priority % 64);
    if (!core->ready_words[priority / 64])
        core->ready_top &= ~BIT(priority / 64);
    if (priority == core->ready_floor)
        core->ready_floor = core->ready_top ? (u8)ready_highest_priority(core) : 0;
}

/* Between two neighbours; one that there is none of is NULL. */
static inline void insert(struct tcb *tcb, struct tcb *prev, struct tcb *next)
{
    struct core *core = core_of(tcb);
    struct ready_queue *queue = &core->ready[tcb->priority];

    if (tcb->in_ready_queue)
        return;
    kernel_assert(!tcb->in_release_queue && thread_is_runnable(tcb));
    kernel_assert(tcb->sched_context && sched_context_is_active(tcb->sched_context));
    tcb->in_ready_queue = true;
    tcb->sched_prev = prev;
    tcb->sched_next = next;
    if (prev)
        prev->sched_next = tcb;
    else
        queue->head = tcb;
    if (next)
        next->sched_prev = tcb;
    else
        queue->tail = tcb;
    mark_nonempty(core, tcb->priority);
}

void ready_queue_append(struct tcb *tcb)
{
    insert(tcb, core_of(tcb)->ready[tcb->priority].tail, NULL);
}

void ready_queue_prepend(struct tcb *tcb)
{
    insert(tcb, NULL, core_of(tcb)->ready[tcb->priority].head);
}

void ready_queue_remove(struct tcb *tcb)
{
    struct core *core = core_of(tcb);
    struct ready_queue *queue = &core->ready[tcb->priority];

    if (!tcb->in_ready_queue)
        return;
    tcb->in_ready_queue = false;
    if (tcb->sched_prev)
        tcb->sched_prev->sched_next = tcb->sched_next;
    else
        queue->head = tcb->sched_next;
    if (tcb->sched_next)
        tcb->sched_next->sched_prev = tcb->sched_prev;
    else
        queue->tail = tcb->sched_prev;
    if (!queue->head)
        mark_empty(core, tcb->priority);
}

struct tcb *ready_first(const struct core *core)
{
    int priority = ready_highest_priority(core);

    return priority < 0 ? NULL : core->ready[priority].head;
}
