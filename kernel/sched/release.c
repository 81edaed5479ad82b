/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The release queue: threads that wait for a refill, as a binary heap by the time of that refill.
 * The heap is a complete tree of the threads themselves, so that every operation takes a number of
 * steps that is logarithmic in their number, whatever the order of times.
 *
 * Invariants
 *  I1  Node 1 is the root, core->release_head; the children of node n are nodes 2n and 2n + 1;
 *      nodes 1 to core->release_count exist.
 *  I2  A thread's refill does not come before that of its parent.
 * Locking: the core's lock.
 */
#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/queues.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

ticks_t release_time(const struct tcb *tcb)
{
    return refill_head(tcb->sched_context)->time;
}

struct tcb *release_at(const struct core *core, unsigned node)
{
    struct tcb *tcb = core->release_head;

    /* The bits below the highest say which way to go at each level. */
    for (unsigned bit = 31 - (unsigned)__builtin_clz(node); bit-- > 0;)
        tcb = tcb->heap.child[node >> bit & 1];
    return tcb;
}

/* --- links ----------------------------------------------------------------------------------- */

/* What leads to the thread: its parent's link, or the root. */
static struct tcb **link_to(struct core *core, const struct tcb *tcb)
{
    struct tcb *parent = tcb->heap.parent;

    return parent ? &parent->heap.child[parent->heap.child[1] == tcb] : &core->release_head;
}

static void adopt_children(struct tcb *tcb)
{
    for (unsigned side = 0; side < 2; side++)
        if (tcb->heap.child[side])
            tcb->heap.child[side]->heap.parent = tcb;
}

/* The two change places; one may be the other's parent, or be the other. */
static void exchange(struct core *core, struct tcb *a, struct tcb *b)
{
    struct tcb **to_a = link_to(core, a), **to_b = link_to(core, b);
    struct heap_place place;

    *to_a = b;
    *to_b = a;
    place = a->heap;
    a->heap = b->heap;
    b->heap = place;
    /* If one was in the other's place as its child, it is now its own parent: until here. */
    adopt_children(a);
    adopt_children(b);
}

/* --- order ----------------------------------------------------------------------------------- */

static void sift_up(struct core *core, struct tcb *tcb)
{
    while (tcb->heap.parent && release_time(tcb) < release_time(tcb->heap.parent))
        exchange(core, tcb, tcb->heap.parent);
}

static struct tcb *earlier_child(const struct tcb *tcb)
{
    struct tcb *left = tcb->heap.child[0], *right = tcb->heap.child[1];

    return right && release_time(right) < release_time(left) ? right : left;
}

static void sift_down(struct core *core, struct tcb *tcb)
{
    struct tcb *child;

    while ((child = earlier_child(tcb)) && release_time(child) < release_time(tcb))
        exchange(core, tcb, child);
}

/* --- operations ------------------------------------------------------------------------------ */

void release_queue_insert(struct tcb *tcb)
{
    struct core *core = &cores[tcb->core];
    unsigned node;

    if (tcb->in_release_queue)
        return;
    kernel_assert(!tcb->in_ready_queue);
    tcb->in_release_queue = true;
    node = ++core->release_count;
    tcb->heap = (struct heap_place){ .parent = node > 1 ? release_at(core, node / 2) : NULL };
    if (tcb->heap.parent)
        tcb->heap.parent->heap.child[node & 1] = tcb;
    else
        core->release_head = tcb;
    sift_up(core, tcb);
    if (core->release_head == tcb)
        core->reprogram = true;
}

void release_queue_remove(struct tcb *tcb)
{
    struct core *core = &cores[tcb->core];
    struct tcb *last;

    if (!tcb->in_release_queue)
        return;
    if (core->release_head == tcb)
        core->reprogram = true;
    tcb->in_release_queue = false;
    last = release_at(core, core->release_count--);
    exchange(core, tcb, last);
    *link_to(core, tcb) = NULL;
    if (last == tcb)
        return;
    sift_up(core, last);
    sift_down(core, last);
}
