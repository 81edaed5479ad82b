/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/thread_queue.h"

#include "kernel/object/tcb.h"

/* The last run whose priority is above the given one, or NULL; *next: the run after it, or NULL. */
static struct tcb *runs_above(const struct thread_queue *queue, u8 priority, struct tcb **next)
{
    struct tcb *above = NULL, *run = queue->head;

    while (run && run->priority > priority) {
        above = run;
        run = run->run_next;
    }
    *next = run;
    return above;
}

static void link_between(struct thread_queue *queue, struct tcb *prev, struct tcb *tcb,
                         struct tcb *next)
{
    tcb->queue_prev = prev;
    tcb->queue_next = next;
    if (prev)
        prev->queue_next = tcb;
    else
        queue->head = tcb;
    if (next)
        next->queue_prev = tcb;
    else
        queue->tail = tcb;
}

void thread_queue_insert(struct thread_queue *queue, struct tcb *tcb)
{
    struct tcb *run, *above = runs_above(queue, tcb->priority, &run);

    if (run && run->priority == tcb->priority) {
        link_between(queue, run->run_last, tcb, run->run_last->queue_next);
        run->run_last = tcb;
        return;
    }
    tcb->run_last = tcb;
    tcb->run_next = run;
    link_between(queue, above ? above->run_last : NULL, tcb, run);
    if (above)
        above->run_next = tcb;
}

/* The runs as they are without the thread, which is still linked. */
static void leave_run(const struct thread_queue *queue, struct tcb *tcb)
{
    struct tcb *run, *above = runs_above(queue, tcb->priority, &run);

    if (run == tcb) {
        struct tcb *heir = tcb->run_next;

        if (tcb->run_last != tcb) {
            heir = tcb->queue_next;
            heir->run_last = tcb->run_last;
            heir->run_next = tcb->run_next;
        }
        if (above)
            above->run_next = heir;
    } else if (run->run_last == tcb) {
        run->run_last = tcb->queue_prev;
    }
}

void thread_queue_set_cursor(struct tcb *owner, struct tcb *at)
{
    if (owner->cancel_cursor)
        owner->cancel_cursor->cancel_owner = NULL;
    owner->cancel_cursor = at;
    if (!at)
        return;
    if (at->cancel_owner)
        at->cancel_owner->cancel_cursor = NULL; /* that one begins anew */
    at->cancel_owner = owner;
}

void thread_queue_remove(struct thread_queue *queue, struct tcb *tcb)
{
    struct tcb *next = tcb->queue_next;

    leave_run(queue, tcb);
    if (tcb->queue_prev)
        tcb->queue_prev->queue_next = next;
    else
        queue->head = next;
    if (next)
        next->queue_prev = tcb->queue_prev;
    else
        queue->tail = tcb->queue_prev;
    tcb->queue_next = tcb->queue_prev = NULL;
    if (tcb->cancel_owner)
        thread_queue_set_cursor(tcb->cancel_owner, next);
}
